/* SPDX-License-Identifier: MIT */
/*
 * Who gets the processor first.  Threads that carry STOP come at once when they wake up; threads whose work takes long,
 * such as rendering, stand back behind them.
 */
#ifndef FOCUSD_TURN_H
#define FOCUSD_TURN_H

/* The calling thread, and each thread that it creates from here on, goes before others and takes short turns.
 * Notes: 1) Linux may let whoever runs finish a turn of some milliseconds before a thread that woke up is let in, even
 * one with a much lower nice value; that happens the less, the more the nice values differ and the shorter the turns
 * are that the waking thread asks for (EEVDF, Linux 6.12 and later).  2) a nice value below 0 needs root or the
 * LimitNICE= of the service; without that, and with earlier kernels, what is permitted is done, and nothing is said:
 * the server works all the same.  3) measured by benchmark P25. */
void turn_prompt(void);

/* The calling thread stands back: so nice, in the sense of nice(2), 0..19, and with turns of the usual length.
 * Notes: 1) threads and processes that it creates do the same.  2) on Linux a nice value belongs to a thread, not to
 * the process.  3) it may be called between fork() and exec() in a program with threads. */
void turn_background(int nice);

#endif
