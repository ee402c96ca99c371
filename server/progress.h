/* SPDX-License-Identifier: MIT */
/* A line that says how far long work has come, for a person at a terminal.  One thread. */
#ifndef FOCUSD_PROGRESS_H
#define FOCUSD_PROGRESS_H

/* Shows a text on standard error in place of the last such line. Nothing happens unless standard error is a terminal,
 * so that logs and scripts never see it. */
void progress_line(const char *text);
/* Shows "done + 1 of all: what" as progress_line() does, cut where the name is long. */
void progress_show(int done, int all, const char *what);
/* Takes the line away; call it before anything else is printed.  Without a line nothing happens. */
void progress_clear(void);
/* Characters that fit on a line of standard output: the terminal's width, or 80 when it is none or does not say. */
int progress_columns(void);

#endif
