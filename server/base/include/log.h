/* SPDX-License-Identifier: MIT */
/*
 * Log lines go to standard error, with journal priorities (<3> error .. <7> debug and trace) when standard error is
 * the systemd journal, else with a UTC time stamp. One line tells one fact and names the device first. Any thread may
 * write, under any lock of its own.
 */
#ifndef FOCUSD_LOG_H
#define FOCUSD_LOG_H

#include <stddef.h>

enum log_level {
	LOG_ERROR, /* someone must act */
	LOG_WARN,  /* degraded */
	LOG_INFO,  /* what an operator reads in the morning */
	LOG_DEBUG,
	LOG_TRACE, /* every byte */
};

/* Lines above this level are dropped.  Default LOG_INFO. */
void log_set_level(enum log_level level);

/* Non-zero when a line of this level would be written: guard costly arguments with it. */
int log_enabled(enum log_level level);

/* Parses "error", "warn", "info", "debug", "trace".  0 on success, -1 when the name is unknown. */
int log_level_parse(const char *name, enum log_level *level);

/* Writes one line.  source names the device or room ("focuser.0", "http"); the text has no
 * newline and no trailing blank; control characters are escaped. */
void log_write(enum log_level level, const char *source, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* So many reasons of one lasting state are told apart. */
enum { LOG_REASONS = 8 };

/*
 * A state that may last all night and is met again every few seconds: an absent device, a full disk. It is worth a line
 * when it begins and when its reason becomes another, not each time that it is met. Each place that can meet such a
 * state has one of these, zeroed at first. Any thread may call, also two at once.
 */
struct log_lasting {
	unsigned count;                /* how often it was met since it began */
	unsigned reasons;              /* how many reasons are remembered */
	unsigned oldest;               /* the one that gives way to a new one */
	unsigned long told[LOG_REASONS];
};

/* The state was met, for this reason: non-zero when a line should be written. Numbers in the reason do not make it
 * another, so that "silent for 12 s" and "silent for 17 s" are one; reasons that take turns are written once each. */
int log_lasting_news(struct log_lasting *state, const char *reason);

/* The state is over: returns how often it was met, so that a last line can say so; 0 when it had not begun. */
unsigned log_lasting_over(struct log_lasting *state);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_write(LOG_TRACE, __VA_ARGS__)

#endif
