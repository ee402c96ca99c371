/* SPDX-License-Identifier: MIT */
#include "exec_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Text that grows up to a limit. */
struct writing {
	char *at;
	size_t left; /* the closing NUL included */
};

static bool put(struct writing *to, const char *text, size_t len)
{
	if (len >= to->left) {
		return false;
	}
	memcpy(to->at, text, len);
	to->at += len;
	to->left -= len;
	*to->at = '\0';
	return true;
}

/* Writes the value of a place; false when there is no such place. */
static bool value_of(const char *name, size_t len, const struct exec_values *values, char *out, size_t cap)
{
	static const char *const names[] = {"s", "ms", "us", "gain", "light", "out"};
	size_t i = 0;
	while (i < sizeof names / sizeof names[0] && (strlen(names[i]) != len || strncmp(names[i], name, len) != 0)) {
		i++;
	}
	switch (i) {
	case 0:
		snprintf(out, cap, "%.6f", values->exposure_s);
		/* 2.500000 is 2.5, and 2.000000 is 2: some programs take no number with a point for a whole one. */
		for (size_t n = strlen(out); n > 0 && (out[n - 1] == '0' || out[n - 1] == '.'); n--) {
			bool point = out[n - 1] == '.';
			out[n - 1] = '\0';
			if (point) {
				break;
			}
		}
		return true;
	case 1:
		snprintf(out, cap, "%.0f", round(values->exposure_s * 1e3));
		return true;
	case 2:
		snprintf(out, cap, "%.0f", round(values->exposure_s * 1e6));
		return true;
	case 3:
		snprintf(out, cap, "%d", values->gain);
		return true;
	case 4:
		snprintf(out, cap, "%d", values->light ? 1 : 0);
		return true;
	case 5:
		snprintf(out, cap, "%s", values->out);
		return true;
	default:
		return false;
	}
}

static enum err_code too_long(struct err *err)
{
	return err_set(err, ERR_INVALID_VALUE, "the command is too long: it has room for %d characters with its places "
		"filled", EXEC_TEXT_MAX - 1);
}

/* Writes what begins at *text, a place or a doubled brace, and moves *text behind it. */
static enum err_code put_place(const char **text, const struct exec_values *values, struct writing *to, struct err *err)
{
	const char *from = *text;
	if (from[0] == from[1]) {
		*text = from + 2;
		return put(to, from, 1) ? ERR_OK : too_long(err);
	}
	const char *end = from[0] == '{' ? strchr(from, '}') : NULL;
	if (end == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "a %c stands alone; a place is written like {us}, and a brace "
			"itself as {{ or }}", from[0]);
	}
	char value[EXEC_TEXT_MAX];
	size_t len = (size_t)(end - from - 1);
	if (!value_of(from + 1, len, values, value, sizeof value)) {
		return err_set(err, ERR_INVALID_VALUE, "there is no place {%.*s}; there are {s}, {ms}, {us}, {gain}, "
			"{light} and {out}", (int)(len < 40 ? len : 40), from + 1);
	}
	*text = end + 1;
	return put(to, value, strlen(value)) ? ERR_OK : too_long(err);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Writes one word and moves *text behind it. */
static enum err_code put_word(const char **text, const struct exec_values *values, struct writing *to, struct err *err)
{
	char quote = '\0';
	enum err_code code = ERR_OK;
	while (code == ERR_OK && **text != '\0' && (quote != '\0' || !is_blank(**text))) {
		char c = **text;
		if (quote != '\0' ? c == quote : c == '"' || c == '\'') {
			quote = quote != '\0' ? '\0' : c;
			(*text)++;
		} else if (c == '{' || c == '}') {
			code = put_place(text, values, to, err);
		} else {
			code = put(to, *text, 1) ? ERR_OK : too_long(err);
			(*text)++;
		}
	}
	if (code == ERR_OK && quote != '\0') {
		return err_set(err, ERR_INVALID_VALUE, "the quote %c is not closed", quote);
	}
	return code;
}

enum err_code exec_words(const char *command, const struct exec_values *values, struct exec_words *out,
	struct err *err)
{
	struct writing to = {.at = out->text, .left = sizeof out->text};
	out->argc = 0;
	for (;;) {
		while (is_blank(*command)) {
			command++;
		}
		if (*command == '\0') {
			break;
		}
		if (out->argc == EXEC_WORDS_MAX) {
			return err_set(err, ERR_INVALID_VALUE, "the command has more than %d words", EXEC_WORDS_MAX);
		}
		out->argv[out->argc++] = to.at;
		*to.at = '\0';
		enum err_code code = put_word(&command, values, &to, err);
		if (code != ERR_OK) {
			return code;
		}
		/* The next word begins behind this one's NUL. */
		if (to.left < 2) {
			return too_long(err);
		}
		to.at++;
		to.left--;
	}
	out->argv[out->argc] = NULL;
	return out->argc > 0 ? ERR_OK : err_set(err, ERR_INVALID_VALUE, "the command is empty");
}

enum err_code exec_fill(const char *text, const struct exec_values *values, char *out, size_t cap, struct err *err)
{
	struct writing to = {.at = out, .left = cap};
	enum err_code code = ERR_OK;
	*out = '\0';
	while (code == ERR_OK && *text != '\0') {
		if (*text == '{' || *text == '}') {
			code = put_place(&text, values, &to, err);
		} else {
			code = put(&to, text, 1) ? ERR_OK : too_long(err);
			text++;
		}
	}
	return code;
}

bool exec_has_place(const char *text, const char *place)
{
	size_t len = strlen(place);
	for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
		if (at[1] == '{') {
			at++;
		} else if (strncmp(at + 1, place, len) == 0 && at[1 + len] == '}') {
			return true;
		}
	}
	return false;
}
