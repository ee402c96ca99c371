/* SPDX-License-Identifier: MIT */
/* A disk as busy SD cards are: preloaded, it lets every fsync() and fdatasync() take 1.5 s. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void be_slow(void)
{
	struct timespec t = {.tv_sec = 1, .tv_nsec = 500000000};
	nanosleep(&t, NULL);
}

int fsync(int fd)
{
	be_slow();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	be_slow();
	return (int)syscall(SYS_fdatasync, fd);
}
