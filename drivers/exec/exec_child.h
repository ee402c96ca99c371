/* SPDX-License-Identifier: MIT */
/*
 * One run of a command that writes a frame: a process group of its own, nothing of the server's in its hands, and what
 * it prints kept for people.  A program at the other end of a cable hangs now and then, so its end is forced: first it
 * is asked (SIGTERM), so that it can close its camera, and killed when it does not go.
 *
 * Called by one thread, the camera's worker; nothing in here waits but exec_child_end().
 */
#ifndef FOCUSD_EXEC_CHILD_H
#define FOCUSD_EXEC_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* A command that was asked to end is killed after this time (real milliseconds); a camera on USB that is killed in the
 * middle of a transfer has to be switched off and on, and gphoto2 takes about two seconds to finish one. */
#define EXEC_CHILD_GRACE_MS 3000

struct exec_child {
	pid_t pid;           /* 0: none runs */
	int output;          /* what it prints; -1 */
	bool asked;          /* to end */
	int64_t kill_ms;     /* when it is killed, once it was asked */
	char said[240];      /* the last line that it printed and that was not blank */
	char line[240];      /* the line that is coming in */
	size_t line_len;
	int status;          /* as from waitpid(), once it has ended */
};

/* Starts argv[0], which is a path, in the folder `cwd`. Its standard input is empty. ERR_IO with a sentence when it
 * cannot be started. */
enum err_code exec_child_start(struct exec_child *child, char *const argv[], const char *cwd, struct err *err);

/* Looks after it: takes what it printed, kills it when its grace is over. True when none runs any more, and then the
 * rest of its process group is gone, too. */
bool exec_child_ended(struct exec_child *child);

/* Asks it to end; exec_child_ended() sees to the rest. Fine when none runs. */
void exec_child_ask(struct exec_child *child);

/* Ends it and waits for that, at most for grace_ms before it is killed. Fine when none runs. */
void exec_child_end(struct exec_child *child, int grace_ms);

/* After its end: ERR_OK when it said success; else ERR_REFUSED with how it ended and what it said last. `name` is for
 * people. */
enum err_code exec_child_verdict(const struct exec_child *child, const char *name, struct err *err);

#endif
