/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static atomic_int current_level = LOG_INFO;

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};

void log_set_level(enum log_level level)
{
	atomic_store(&current_level, (int)level);
}

int log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

/* Text from devices and clients must not be able to forge a second log line. */
static void escape_controls(const char *in, char *out, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;
	for (; *in != '\0' && n + 5 < cap; in++) {
		unsigned char c = (unsigned char)*in;
		if (c < 0x20 || c == 0x7F) {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		} else {
			out[n++] = (char)c;
		}
	}
	out[n] = '\0';
}

void log_write(enum log_level level, const char *source, const char *fmt, ...)
{
	if (!log_enabled(level)) {
		return;
	}
	char text[800];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	char clean[1000];
	escape_controls(text, clean, sizeof clean);

	char line[1200];
	int n;
	if (getenv("JOURNAL_STREAM") != NULL) {
		static const int priority[] = {3, 4, 6, 7, 7};
		n = snprintf(line, sizeof line, "<%d>%s: %s\n", priority[level], source, clean);
	} else {
		char stamp[CLOCK_UTC_TEXT];
		clock_utc_text(clock_utc_ms(), stamp);
		n = snprintf(line, sizeof line, "%s %-5s %s: %s\n", stamp, level_names[level],
			source, clean);
	}
	size_t len = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
	/* One write per line keeps lines whole between threads. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}

static pthread_mutex_t lasting_lock = PTHREAD_MUTEX_INITIALIZER;

/* FNV-1a (Fowler, Noll, Vo; RFC 9923) of the text without its digits. */
static unsigned long reason_hash(const char *reason)
{
	uint64_t hash = 14695981039346656037u;
	for (const char *c = reason; *c != '\0'; c++) {
		if (*c < '0' || *c > '9') {
			hash = (hash ^ (unsigned char)*c) * 1099511628211u;
		}
	}
	return (unsigned long)hash;
}

int log_lasting_news(struct log_lasting *state, const char *reason)
{
	unsigned long hash = reason_hash(reason);
	int news = 1;
	pthread_mutex_lock(&lasting_lock);
	state->count++;
	for (unsigned i = 0; i < state->reasons; i++) {
		news = state->told[i] == hash ? 0 : news;
	}
	if (news) {
		unsigned at = state->reasons < LOG_REASONS ? state->reasons++ : state->oldest++ % LOG_REASONS;
		state->told[at] = hash;
	}
	pthread_mutex_unlock(&lasting_lock);
	return news;
}

unsigned log_lasting_over(struct log_lasting *state)
{
	pthread_mutex_lock(&lasting_lock);
	unsigned count = state->count;
	*state = (struct log_lasting){0};
	pthread_mutex_unlock(&lasting_lock);
	return count;
}
