/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into other people's drivers: tcflush() drops what was received only, whatever it was asked
 * for.  What was written has left a real port by then; a pseudo terminal may still hold it.
 */
#include <sys/ioctl.h>
#include <termios.h>

int tcflush(int fd, int queue)
{
	return queue == TCOFLUSH ? 0 : ioctl(fd, TCFLSH, TCIFLUSH);
}
