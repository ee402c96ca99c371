/* SPDX-License-Identifier: MIT */
/*
 * The yardstick: the least that a program on the same HTTP library can be.  One epoll thread, one
 * constant body of the length that a position has, no look at the request.
 *
 * bare PORT            prints the port and serves until it is killed
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char body[] = "{\"Value\":25000,\"ClientTransactionID\":12345678,"
		     "\"ServerTransactionID\":12345678,\"ErrorNumber\":0,\"ErrorMessage\":\"\"}";

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **request)
{
	static int seen;
	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (*request == NULL) {
		*request = &seen;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer(sizeof body - 1, body, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	enum MHD_Result ok = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return ok;
}

int main(int argc, char **argv)
{
	long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
		on_request, NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT, 1536u,
		MHD_OPTION_CONNECTION_TIMEOUT, 150u, MHD_OPTION_END);
	if (daemon == NULL) {
		fprintf(stderr, "bare: cannot listen on port %ld\n", port);
		return 1;
	}
	printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	for (;;) {
		pause();
	}
}
