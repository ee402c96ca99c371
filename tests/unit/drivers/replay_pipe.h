/* SPDX-License-Identifier: MIT */
/*
 * Plays a transcript to a driver: it is asked what it was asked then, must send what it sent then, byte
 * for byte, and hears what came then.  The clock is the transcript's, so that what depends on time goes as
 * it went.
 */
#ifndef FOCUSD_REPLAY_PIPE_H
#define FOCUSD_REPLAY_PIPE_H

#include <stdbool.h>
#include <stddef.h>

/* Replays the file.  False with a sentence in why ("FILE:17: ...") when the driver did something else.
 * What follows a call that was cancelled, and what precedes the first "= open", is passed over; *calls
 * is how many were made. */
bool replay_file(const char *path, int *calls, char *why, size_t cap);

#endif
