/* SPDX-License-Identifier: MIT */
/*
 * What the files that know the HTTP library share: http_mhd.c (the server's life), http_mhd_request.c (what comes
 * in), http_mhd_answer.c (what goes out), http_mhd_wait.c (what waits meanwhile).
 *
 * Two library threads parse, call the handler and send; one thread of ours, the caretaker, resumes what waits and
 * shuts connections whose request does not come to an end.  Lock order: server->lock is a leaf; nothing is called
 * under it but system calls on sockets, so http_server_wake() may be called under anybody's lock.
 */
#ifndef FOCUSD_HTTP_PRIVATE_H
#define FOCUSD_HTTP_PRIVATE_H

#include "http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http_doors.h"
#include "http_guard.h"
#include "http_peers.h"
#include "http_turn.h"

/* From 1.0 the library refuses continued lines and NULs itself when it is asked to, and leaves the lines in memory in
 * another form; http_block.h is for those before. */
#define HTTP_LIBRARY_IS_STRICT (MHD_VERSION >= 0x01000000)

enum {
	HTTP_THREADS = 2,
	HTTP_CONNECTIONS_MAX = 1536,
	HTTP_CROWD = HTTP_CONNECTIONS_MAX * 3 / 4, /* with more, silent connections go early */
	HTTP_BODY_MAX = 64 * 1024,        /* larger ones are read and refused */
	HTTP_BODY_READ_MAX = 1024 * 1024, /* larger ones are not even read */
	HTTP_ANSWER_SMALL = 4096,         /* smaller bodies of answers fit into any socket and are not counted */
	HTTP_ANSWERS_MAX = 32 << 20,      /* bytes of bodies that wait to be taken, all clients together */
};

/* One request, from its first line to the end of its answer. */
struct exchange {
	struct exchange *prev, *next; /* in server->waiting */
	int64_t wake_ms;
	struct http_server *server;
	struct MHD_Connection *mhd;
	struct peer *peer;
	struct http_request request;
	struct http_wait wait;
	struct buf body;
	size_t body_seen;
	bool headers_seen;
	size_t answer_bytes;          /* of server->answer_bytes */
	const char *host;             /* NULL when absent */
	struct span address;          /* of the request line as it came; its text is the library's and gets decoded */
	const char *shared_with;      /* the Origin that may read the answer; NULL: none but our own pages */
	char *path;                   /* of uri, behind "http://host" in the absolute form */
	char *query;                  /* behind the '?' of uri */
	char uri[];
};

struct http_server {
	struct MHD_Daemon *daemon;
	http_handler handler;
	void *arg;
	struct http_guard guard;
	bool (*is_page)(const char *path);
	struct http_doors doors;
	int64_t request_timeout_ms;
	int64_t behind_ms;
	_Atomic size_t answer_bytes;     /* in bodies that clients have not taken */
	pthread_t caretaker;
	bool has_caretaker;
	struct turn turns[HTTP_THREADS]; /* of the library's threads, each takes one with its first connection */
	_Atomic unsigned turns_taken;
	_Atomic uint64_t generation;     /* of wakes */
	_Atomic unsigned waiting_count;
	_Atomic uint64_t by_class[6];
	pthread_mutex_t lock;
	/* Under lock. */
	pthread_cond_t cond;
	struct peer *peers;
	struct exchange *waiting;
	bool wake_all;
	struct http_names strangers;     /* host names that were refused, each told once */
	bool sweeping;                   /* the caretaker has a time for the next sweep */
	bool stopping;
};

/* Puts the exchange to sleep until a wake after generation, or wake_ms (on clock_real()).  False when the server
 * stops.  On the exchange's library thread. */
bool http_suspend(struct exchange *e, uint64_t generation, int64_t wake_ms);

/* The caretaker thread; arg is the server. */
void *http_care(void *arg);

/* The library's callback for every step of a request; cls is not used. */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *upload_data, size_t *upload_data_size, void **con_cls);

/* Queues what res holds and takes it over; with close, the connection ends behind it. */
enum MHD_Result http_send(struct exchange *e, struct http_response *res, bool close);
/* The same with a plain text. */
enum MHD_Result http_refuse(struct exchange *e, int status, bool close, const char *text);

/* Behind turn_enter(e->peer->turn) and a call of a handler or stream: leaves the turn, and says at level debug when
 * the call was long. */
void http_note_turn(struct exchange *e, const char *what);

/* Zeroes what has to be zero before a handler is called. */
void http_clear_response(struct http_response *res);

#endif
