/* SPDX-License-Identifier: MIT */
/*
 * The connection to one INDI server, shared by the devices that are behind it: a socket, a thread that reads it, what
 * the server has told so far, and the devices that want to hear of it.  BLOBs never come on it, so that a position or
 * an abort waits behind no picture (indi_blob.h has a connection of its own).
 *
 *     reader thread   takes what comes into the store, wakes who waits, posts to the devices that are concerned
 *     workers         look at the store, send elements, wait for what they want to see
 *
 * The reader asks the server for a sign of life when it was silent, because a server that hangs keeps its connection.
 */
#ifndef FOCUSD_INDI_LINE_H
#define FOCUSD_INDI_LINE_H

#include <stdbool.h>

#include "driver_host.h"
#include "err.h"
#include "indi_store.h"

/* The port of an INDI server where none is given: the protocol's registered one. */
#define INDI_PORT "7624"

/* Longest address, "[fe80::1]:7624", with its end: what goes into a key of shared objects (driver_host.h). */
#define INDI_ADDRESS 56

struct indi_line;

/* A device on the line; it stands in its driver's context, zeroed.  Only the line looks inside. */
struct indi_ear {
	const struct driver_host *host;
	char device[INDI_NAME]; /* whose news are wanted; "" of all */
	bool told;              /* something was posted that the driver has not looked at yet */
	struct indi_ear *next;
};

/* What is posted: there is news, and it is in the store; or the line is lost. */
struct indi_post {
	bool lost;
};

/* The address of `port = tcp://host:port` or `tcp://host`, as "host:port".  ERR_INVALID_VALUE with a sentence. */
enum err_code indi_address(const char *port, char out[INDI_ADDRESS], struct err *err);

/* What read_port() of both drivers does: as indi_address(), and the port has to be a number that there is. */
enum err_code indi_read_port(const char *port, struct err *err);

/* Joins the line to this address; makes it when there is none, in at most two seconds.  On the worker. */
enum err_code indi_line_join(const struct driver_host *host, const char *address, struct indi_line **out,
	struct err *err);
/* Undoes a join.  Nothing is posted to ears that were taken away before. */
void indi_line_leave(const struct driver_host *host, struct indi_line *line);

/* A line that is not shared, for a program that only wants a look: connects, at most until deadline_ms of the real
 * clock. */
enum err_code indi_line_visit(const char *address, int64_t deadline_ms, struct indi_line **out, struct err *err);
void indi_line_end_visit(struct indi_line *line);

/* From the first to the second of these the device hears of news. */
void indi_line_listen(struct indi_line *line, struct indi_ear *ear, const struct driver_host *host,
	const char *device);
void indi_line_deaf(struct indi_line *line, struct indi_ear *ear);
/* What posted() does: the next news is posted again.  ERR_IO with the reason when the line is lost. */
enum err_code indi_line_heard(struct indi_line *line, struct indi_ear *ear, struct err *err);

/* The store, between these two; short, and without any call that waits. */
const struct indi_store *indi_line_look(struct indi_line *line);
void indi_line_done(struct indi_line *line);

/* ERR_IO with the reason when the line is lost; ERR_NOT_CONNECTED without a line. */
enum err_code indi_line_check(struct indi_line *line, struct err *err);

/* Waits until true_now(store, arg) is true, which is asked with the line held after every news.  ERR_TIMEOUT at
 * deadline_ms of the real clock; ERR_CANCELLED when something urgent waits for this device and yields is true; ERR_IO
 * when the line is lost. */
enum err_code indi_line_wait(struct indi_line *line, const struct driver_host *host, bool yields,
	bool (*true_now)(const struct indi_store *store, void *arg), void *arg, int64_t deadline_ms, struct err *err);

/* ---- what is sent; each goes out at once, whole ---- */

/* Numbers of one property; all members of the vector have to be given. */
struct indi_set {
	const char *member;
	double value;
};
enum err_code indi_line_set(struct indi_line *line, const char *device, const char *property,
	const struct indi_set *set, size_t count, struct err *err);
/* Turns one switch of a property on. */
enum err_code indi_line_switch(struct indi_line *line, const char *device, const char *property, const char *member,
	struct err *err);

/* ---- shared with the line of BLOBs ---- */

/* Appends text with the characters that XML does not take as they are written as entities. */
struct buf;
void indi_escape(struct buf *out, const char *text);
/* Writes everything to a non-blocking socket, at most until deadline_ms of the real clock. */
enum err_code indi_send(int fd, const char *data, size_t len, int64_t deadline_ms, struct err *err);

#endif
