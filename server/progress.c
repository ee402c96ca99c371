/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A name longer than this shows its end, where the names of frames differ. */
enum { LONGEST_NAME = 50, USUAL_COLUMNS = 80 };

static bool shown;

void progress_line(const char *text)
{
	if (isatty(STDERR_FILENO) == 1) {
		progress_clear();
		fputs(text, stderr);
		fflush(stderr);
		shown = true;
	}
}

void progress_show(int done, int all, const char *what)
{
	char line[LONGEST_NAME + 40];
	size_t length = strlen(what);
	snprintf(line, sizeof line, "%d of %d: %s%s", done + 1, all, length > LONGEST_NAME ? "..." : "",
		length > LONGEST_NAME ? what + length - LONGEST_NAME : what);
	progress_line(line);
}

void progress_clear(void)
{
	if (shown) {
		/* Carriage return and ECMA-48 EL: the cursor goes to the line's begin, and the line is erased. */
		fputs("\r\033[K", stderr);
		fflush(stderr);
		shown = false;
	}
}

int progress_columns(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		return size.ws_col;
	}
	return USUAL_COLUMNS;
}
