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

/* Remembers how often a failure was repeated, so that a broken cable does not fill the disk: the first ten are written,
 * then one in a hundred. Each place that can fail again and again has one of its own, zeroed at first. */
struct log_repeat {
	unsigned count;
};

/* Counts one failure more; non-zero when this one should be written. */
int log_repeat_due(struct log_repeat *repeat);

/* Forgets the count; returns it, so that recovery can say how many there were. */
unsigned log_repeat_reset(struct log_repeat *repeat);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_trace(...) log_write(LOG_TRACE, __VA_ARGS__)

#endif
