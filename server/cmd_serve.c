/* SPDX-License-Identifier: MIT */
/*
 * `focusd serve`: reads the configuration, builds the objects in order, waits for a signal on the
 * main thread, and takes everything down again: no new requests, motion stopped, streams ended,
 * threads joined.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alpaca.h"
#include "camera.h"
#include "cmd.h"
#include "config.h"
#include "discovery.h"
#include "driver_facts.h"
#include "focuser.h"
#include "http.h"
#include "json.h"
#include "log.h"
#include "observatory.h"
#include "serve_config.h"
#include "serve_options.h"
#include "serve_seed.h"
#include "settings.h"
#include "state.h"
#include "store.h"
#include "turn.h"
#include "web.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct serve {
	struct settings *settings;
	char settings_path[1100];
	struct observatory *obs;
	struct alpaca *alpaca;
	struct web *web;
	struct discovery *discovery;
	atomic_bool stopping;
	/* Guards `server`, because events may be published, and wake it, while it is being taken down. */
	pthread_mutex_t wake_lock;
	struct http_server *server;
};

static enum http_result dispatch(
	void *arg, const struct http_request *req, struct http_response *res)
{
	struct serve *serve = arg;
	/* Requests that were waiting are still answered: their runs have just been ended. */
	if (atomic_load(&serve->stopping) && !req->wait->resumed) {
		http_text(res, 503, "focusd is stopping\n");
		return HTTP_DONE;
	}
	return alpaca_owns(req->path) ? alpaca_handle(serve->alpaca, req, res)
				      : web_handle(serve->web, req, res);
}

static void wake(void *arg)
{
	struct serve *serve = arg;
	pthread_mutex_lock(&serve->wake_lock);
	if (serve->server != NULL) {
		http_server_wake(serve->server);
	}
	pthread_mutex_unlock(&serve->wake_lock);
}

/* The signals that end the server in good order: motors are stopped where they are. SIGQUIT is among them, because
 * whoever presses Ctrl-\ wants the motor to stop, too. */
static const struct stop_signal {
	int number;
	const char *name;
} stop_signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}, {SIGQUIT, "SIGQUIT"}};

/* Blocks these signals in every thread, so that only the main thread's sigwait() takes them. One that was ignored
 * when the program began stays ignored: that is how nohup keeps a program alive when its terminal goes, and how a
 * shell keeps Ctrl-C from what runs in its background. */
static void prepare_signals(sigset_t *stop)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a failed write, as on a full disk */
	sigemptyset(stop);
	for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
		struct sigaction inherited;
		int number = stop_signals[i].number;
		if (sigaction(number, NULL, &inherited) != 0 || inherited.sa_handler != SIG_IGN) {
			signal(number, SIG_DFL);
			sigaddset(stop, number);
		}
	}
	pthread_sigmask(SIG_BLOCK, stop, NULL);
}

static enum err_code write_ready_file(const char *path, const char *url, int port, struct err *err)
{
	struct buf text;
	struct json_writer w;
	buf_init(&text, 4096);
	json_begin(&w, &text);
	json_object(&w);
	json_key_int(&w, "pid", getpid());
	json_key_int(&w, "port", port);
	json_key_string(&w, "url", url);
	json_end_object(&w);
	buf_putc(&text, '\n');
	enum err_code rc = text.failed ? err_set(err, ERR_NOMEM, "out of memory")
				       : state_write_file(path, text.data, text.len, err);
	buf_fini(&text);
	return rc;
}

/* Ends runs and exposures and stops motors where they are; whatever is connected stays connected. */
static void stop_devices(struct serve *serve)
{
	const struct devices *devices = observatory_served(serve->obs)->devices;
	for (int i = 0; i < devices->count; i++) {
		device_quiet(devices->device[i]);
	}
}

/* Takes down whatever has been built, in reverse. */
static void take_down(struct serve *serve)
{
	atomic_store(&serve->stopping, true);
	if (serve->obs != NULL) {
		stop_devices(serve);
	}
	discovery_stop(serve->discovery);
	pthread_mutex_lock(&serve->wake_lock);
	struct http_server *server = serve->server;
	serve->server = NULL;
	pthread_mutex_unlock(&serve->wake_lock);
	if (server != NULL) {
		web_set_server(serve->web, NULL);
		http_server_stop(server);
	}
	web_destroy(serve->web);
	alpaca_destroy(serve->alpaca);
	observatory_destroy(serve->obs);
	settings_destroy(serve->settings);
	pthread_mutex_destroy(&serve->wake_lock);
}

/* Has the whole file of changes written at each change; the store's thread waits for the disk. Nothing changes settings
 * before the observatory is built. */
static void keep_settings(void *ctx, const char *text)
{
	struct serve *serve = ctx;
	store_write_file(observatory_served(serve->obs)->store, serve->settings_path, text, "settings",
		"the last change is lost when the server ends");
}

static void settings_changed(void *arg)
{
	struct serve *serve = arg;
	const struct config *config = settings_get(serve->settings);
	log_set_level(config->server.log_level);
	settings_release(serve->settings, config);
}

/* Builds the settings, in which the changes that were made while an earlier server ran count again. A rehearsal with
 * the simulator keeps its changes in a file of its own. */
static enum err_code build_settings(struct serve *serve, const struct config *config,
	const struct config_drivers *drivers, const char *dir, bool simulate, struct err *err)
{
	struct settings_options options = {.drivers = drivers, .keep = keep_settings, .ctx = serve};
	enum err_code code = settings_create(config, &options, &serve->settings, err);
	if (code == ERR_OK) {
		snprintf(serve->settings_path, sizeof serve->settings_path, "%s/%s%s", dir,
			simulate ? "simulator-" : "", SETTINGS_FILE);
		settings_load_file(serve->settings, serve->settings_path);
		settings_listen(serve->settings, settings_changed, serve);
		settings_changed(serve);
	}
	return code;
}

static enum err_code build(struct serve *serve, const struct config *config,
	const struct observatory_options *options, struct err *err)
{
	enum err_code rc = observatory_create(serve->settings, options, &serve->obs, err);
	if (rc != ERR_OK) {
		return rc;
	}
	const struct served *served = observatory_served(serve->obs);
	serve->alpaca = alpaca_create(served);
	serve->web = web_create(served);
	if (serve->alpaca == NULL || serve->web == NULL) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	struct http_options http = {
		.bind = config->server.bind,
		.port = config->server.port,
		.allowed_hosts = config->server.allowed_hosts,
		.server_name = config->server.name,
		.is_page = web_is_page,
	};
	struct http_server *server;
	rc = http_server_start(&http, dispatch, serve, &server, err);
	if (rc != ERR_OK) {
		return rc;
	}
	pthread_mutex_lock(&serve->wake_lock);
	serve->server = server;
	pthread_mutex_unlock(&serve->wake_lock);
	web_set_server(serve->web, server);
	if (events_listen(served->events, wake, serve) != 0) {
		return err_set(err, ERR_INTERNAL, "no room for another listener to events");
	}
	return ERR_OK;
}

/* Lets clients find the server, which is open: discovery, the ready file, a line on standard output. */
static enum err_code announce(struct serve *serve, const struct config *config, const char *ready_file, struct err *err)
{
	struct http_server *server = serve->server;
	int port = http_server_port(server);
	if (config->server.discovery_port != 0) {
		struct err why;
		if (discovery_start_for(config->server.bind, config->server.discovery_port, port,
			    http_server_is_loopback(server), &serve->discovery, &why) != ERR_OK) {
			serve->discovery = NULL;
			log_warn("discovery", "clients will not find this server by themselves: %s",
				why.text);
		}
	}
	char url[128];
	http_server_url(server, url, sizeof url);
	enum err_code rc = ready_file != NULL ? write_ready_file(ready_file, url, port, err) : ERR_OK;
	if (rc == ERR_OK) {
		printf("focusd serves %s\n", url);
		fflush(stdout);
	}
	return rc;
}

/* Waits until the server is open, or for a signal to stop, whose number it returns; else 0. */
static int wait_until_open(const struct http_server *server, const sigset_t *stop)
{
	const struct timespec look_again = {.tv_nsec = 200 * 1000 * 1000};
	int signal_number = 0;
	while (signal_number <= 0 && !http_server_is_open(server)) {
		signal_number = sigtimedwait(stop, NULL, &look_again);
	}
	return signal_number > 0 ? signal_number : 0;
}

static int wait_for_signal(const sigset_t *stop)
{
	int signal_number = 0;
	while (sigwait(stop, &signal_number) != 0) {
	}
	return signal_number;
}

/* Builds the server and tells people that it is there. *signal_number is a signal to stop that came before that, else
 * 0. After an error take_down() undoes what was built. */
static enum err_code start(struct serve *serve, const struct config *config, const struct config_drivers *drivers,
	const struct serve_options *options, const struct observatory_options *observatory, const sigset_t *stop,
	int *signal_number, struct err *err)
{
	enum err_code rc = build_settings(serve, config, drivers, observatory->state_dir, options->simulate, err);
	if (rc == ERR_OK) {
		rc = build(serve, config, observatory, err);
	}
	if (rc != ERR_OK) {
		return rc;
	}
	*signal_number = wait_until_open(serve->server, stop);
	return *signal_number == 0 ? announce(serve, config, options->ready_file, err) : ERR_OK;
}

static void log_signal(int signal_number)
{
	for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
		if (stop_signals[i].number == signal_number) {
			log_info("focusd", "stopping on %s", stop_signals[i].name);
		}
	}
}

static int run_server(const struct config *config, const struct config_drivers *drivers,
	const struct serve_options *options)
{
	char dir[1024];
	struct err err = {0};
	if (state_dir(options->state_dir, dir, sizeof dir, &err) != ERR_OK) {
		fprintf(stderr, "focusd: %s\n", err.text);
		return EXIT_FAILED;
	}
	int lock = -1;
	if (state_lock(dir, &lock, &err) != ERR_OK) {
		fprintf(stderr, "focusd: %s\n", err.text);
		return EXIT_FAILED;
	}
	uint64_t seed = options->has_seed ? options->seed : serve_seed(config, dir);
	sigset_t stop;
	turn_prompt();
	prepare_signals(&stop);

	struct serve serve = {.obs = NULL};
	pthread_mutex_init(&serve.wake_lock, NULL);
	struct observatory_options observatory = {
		.state_dir = dir,
		.seed = seed,
		.time_factor = config->time_factor,
	};
	log_info("focusd", "version " FOCUSD_VERSION ", state in %s, seed %llu", dir,
		(unsigned long long)seed);
	if (!state_can_write(dir, &err)) {
		log_error("focusd", "nothing is remembered: %s; runs, positions and changes of settings are lost "
			"when focusd ends", err.text);
	}
	int signal_number = 0;
	if (start(&serve, config, drivers, options, &observatory, &stop, &signal_number, &err) != ERR_OK) {
		take_down(&serve);
		state_unlock(lock);
		fprintf(stderr, "focusd: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (signal_number == 0) {
		signal_number = wait_for_signal(&stop);
	}
	log_signal(signal_number);
	if (options->ready_file != NULL) {
		unlink(options->ready_file);
	}
	take_down(&serve);
	state_unlock(lock);
	log_info("focusd", "stopped");
	return EXIT_DONE;
}

int cmd_serve(int argc, char **argv)
{
	struct serve_options options;
	struct err err;
	if (serve_options_parse(argc, argv, &options, &err) != ERR_OK) {
		fprintf(stderr, "focusd: %s; see focusd --help\n", err.text);
		return EXIT_USAGE;
	}
	if (options.help || options.version) {
		fputs(options.help ? serve_help : serve_version, stdout);
		return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	struct driver_facts facts = {.focusers = NULL};
	struct config *config = calloc(1, sizeof *config);
	if (config == NULL || !driver_facts_init(&facts)) {
		fprintf(stderr, "focusd: out of memory\n");
		driver_facts_fini(&facts);
		free(config);
		return EXIT_FAILED;
	}
	int rc = serve_config_load(&options, &facts.table, config) ? EXIT_DONE : EXIT_USAGE;
	if (rc == EXIT_DONE && !options.check) {
		log_set_level(config->server.log_level);
		rc = run_server(config, &facts.table, &options);
	}
	free(config);
	driver_facts_fini(&facts);
	return rc;
}
