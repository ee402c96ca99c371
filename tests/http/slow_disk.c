/* SPDX-License-Identifier: MIT */
/* For tests/http/test_store.py: a disk on which each sync takes SLOW_DISK_MS milliseconds, as a busy SD card's does.
 * A preload library; it goes into programs that were built without a sanitizer. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int slow(long call, int fd)
{
	const char *text = getenv("SLOW_DISK_MS");
	long ms = text != NULL ? strtol(text, NULL, 10) : 0;
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	while (nanosleep(&left, &left) != 0 && errno == EINTR) {
	}
	return (int)syscall(call, fd);
}

int fsync(int fd)
{
	return slow(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return slow(SYS_fdatasync, fd);
}
