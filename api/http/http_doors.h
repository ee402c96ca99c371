/* SPDX-License-Identifier: MIT */
/*
 * The addresses on which the server listens.  The library has one listening socket, whose connections cost least: the
 * first address that is there at the start.  Addresses beside it, and those that come later (an interface that is slow
 * to get its address, a VPN, a wireless stick), are the doors' own: a thread of theirs listens on them, tries again
 * those that are not there, and hands what comes to the library.  Where everything is there at the start and it is one
 * address, there is no such thread.
 */
#ifndef FOCUSD_HTTP_DOORS_H
#define FOCUSD_HTTP_DOORS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "http_listen.h"

/* Takes over a connection that came from this address.  On the doors' thread. */
typedef void (*http_let_in)(void *arg, int fd, const struct sockaddr *from, socklen_t len);

struct http_doors {
	struct bind_list list;
	_Atomic bool is_open;       /* something is listened on; port and first are then constant */
	int port;                   /* of all; 0 before is_open when any port will do */
	const struct bind_address *first; /* the address that was there first; NULL: all addresses */
	int mhd_fd;             /* the library's own socket; -1 none */
	/* The thread's, once it runs. */
	int fd[BIND_MAX];           /* by index in list; -1: not there yet, or the library's */
	enum listen_result result[BIND_MAX]; /* of the last try */
	int stop_fd;
	bool has_thread;
	pthread_t thread;
	http_let_in let_in;
	void *arg;                  /* of let_in */
};

/* Listens on each address of bind_to that is there; the log says which are not.  ERR_INVALID_VALUE when bind_to is no
 * list of addresses; ERR_IO when one is taken or forbidden.  After an error nothing is open.  The caller gives
 * mhd_fd to the library, which closes it. */
enum err_code http_doors_open(struct http_doors *doors, const char *bind_to, int port, struct err *err);

/* Starts the thread when there is something for it to do.  ERR_IO when it cannot be had. */
enum err_code http_doors_start(struct http_doors *doors, http_let_in let_in, void *arg, struct err *err);

/* Ends the thread and closes the doors' own sockets, so that nothing new comes from them.  Before the library ends. */
void http_doors_stop(struct http_doors *doors);

/* Writes the URL of the first address; that of 127.0.0.1 when every address is listened on.  When is_open. */
void http_doors_url(const struct http_doors *doors, char *out, size_t cap);

#endif
