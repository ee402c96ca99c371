/* SPDX-License-Identifier: MIT */
/* /metrics in the Prometheus text exposition format, version 0.0.4. */
#include <inttypes.h>
#include <math.h>

#include "web_private.h"

/* Opens a family of metrics. */
static void family(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buf *out, double value)
{
	char text[32];
	text_print_double(text, value);
	buf_printf(out, " %s\n", text);
}

/* One device's sample; nothing when the value is unknown. */
static void sample(struct buf *out, const char *name, const struct device *dev, double value)
{
	if (isfinite(value)) {
		buf_printf(out, "%s{device=\"%s\"}", name, device_info(dev)->source);
		put_value(out, value);
	}
}

static bool is_focuser(const struct device *dev)
{
	return device_info(dev)->kind == &focuser_kind;
}

enum focuser_metric {
	METRIC_POSITION, METRIC_MOTOR_POSITION, METRIC_KNOWN, METRIC_JOURNAL, METRIC_TEMPERATURE, METRIC_MOVING,
	METRIC_STOP
};

static void focuser_family(struct web *web, struct buf *out, enum focuser_metric which,
	const char *name, const char *help)
{
	family(out, name, "gauge", help);
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		if (!is_focuser(dev)) {
			continue;
		}
		struct focuser_state s;
		focuser_state(dev, &s);
		double value = NAN;
		switch (which) {
		case METRIC_POSITION:
			value = s.position_valid && !s.position_stale ? (double)s.position : NAN;
			break;
		case METRIC_MOTOR_POSITION:
			value = s.position_valid && !s.position_stale ? (double)s.motor_position : NAN;
			break;
		case METRIC_KNOWN:
			value = s.trust == POSITION_KNOWN ? 1 : 0;
			break;
		case METRIC_JOURNAL:
			value = s.journal_failing ? 1 : 0;
			break;
		case METRIC_TEMPERATURE:
			value = s.temperature_valid ? s.temperature_c : NAN;
			break;
		case METRIC_MOVING:
			value = s.is_moving ? 1 : 0;
			break;
		case METRIC_STOP:
			value = s.stop_owed ? 1 : 0;
			break;
		}
		sample(out, name, dev, value);
	}
}

/* The two ends between which an unknown position surely lies; no samples where that is not known. */
static void within_family(struct web *web, struct buf *out)
{
	const char *name = "focusd_focuser_position_within_steps";
	family(out, name, "gauge",
		"Between these the motor is after a power cut on its way, when the position is not known.");
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		struct focuser_state s = {0};
		if (is_focuser(dev)) {
			focuser_state(dev, &s);
		}
		if (s.within_known) {
			const char *source = device_info(dev)->source;
			buf_printf(out, "%s{device=\"%s\",bound=\"low\"} %d\n", name, source, (int)s.within_low);
			buf_printf(out, "%s{device=\"%s\",bound=\"high\"} %d\n", name, source, (int)s.within_high);
		}
	}
}

/* One sample for each word, 1 for the one that holds; none before a link has told a position. */
static void trust_family(struct web *web, struct buf *out)
{
	static const enum focuser_trust words[] = {POSITION_KNOWN, POSITION_SHIFTED, POSITION_UNKNOWN};
	family(out, "focusd_focuser_position_trust", "gauge",
		"How far the position can be trusted: 1 for known, shifted or unknown.");
	struct device *dev;
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		struct focuser_state s = {0};
		if (is_focuser(dev)) {
			focuser_state(dev, &s);
		}
		for (size_t k = 0; s.position_valid && k < sizeof words / sizeof words[0]; k++) {
			buf_printf(out, "focusd_focuser_position_trust{device=\"%s\",state=\"%s\"} %d\n",
				device_info(dev)->source, focuser_trust_name(words[k]), s.trust == words[k]);
		}
	}
}

static void link_families(struct web *web, struct buf *out)
{
	struct device *dev;
	family(out, "focusd_link_up", "gauge", "Whether the link to the hardware is up.");
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		sample(out, "focusd_link_up", dev, device_link(dev) == LINK_UP ? 1 : 0);
	}
	static const enum err_code kinds[] = {ERR_IO, ERR_TIMEOUT, ERR_PROTOCOL, ERR_REFUSED,
		ERR_STALLED};
	family(out, "focusd_serial_errors_total", "counter",
		"Failed exchanges with the hardware since start, by kind.");
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		uint64_t counts[ERR_CODE_COUNT] = {0};
		device_error_counts(dev, counts);
		for (size_t k = 0; is_focuser(dev) && k < sizeof kinds / sizeof kinds[0]; k++) {
			buf_printf(out, "focusd_serial_errors_total{device=\"%s\",kind=\"%s\"} %" PRIu64 "\n",
				device_info(dev)->source, err_name(kinds[k]), counts[kinds[k]]);
		}
	}
}

static void run_families(struct web *web, struct buf *out)
{
	struct device *dev;
	family(out, "focusd_autofocus_running", "gauge", "Whether an autofocus run is going on.");
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		if (is_focuser(dev)) {
			bool running = autofocus_running(served_autofocus(web->served, dev)) != 0;
			sample(out, "focusd_autofocus_running", dev, running ? 1 : 0);
		}
	}
	static const enum run_state ends[] = {RUN_SUCCEEDED, RUN_FAILED, RUN_ABORTED};
	family(out, "focusd_autofocus_runs_total", "counter",
		"Autofocus runs that ended since start, by result.");
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		uint64_t counts[4] = {0};
		if (!is_focuser(dev)) {
			continue;
		}
		autofocus_counts(served_autofocus(web->served, dev), counts);
		for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
			buf_printf(out, "focusd_autofocus_runs_total{device=\"%s\",result=\"%s\"} %" PRIu64 "\n",
				device_info(dev)->source, run_state_name(ends[k]), counts[ends[k]]);
		}
	}
	/* The two families of the newest run, each in one piece as the format asks. */
	struct buf durations;
	buf_init(&durations, 16 * 1024);
	family(out, "focusd_autofocus_hfr_pixels", "gauge",
		"Half-flux radius measured at the end of the newest run.");
	family(&durations, "focusd_autofocus_duration_seconds", "gauge", "Duration of the newest run.");
	for (int i = 0; (dev = devices_at(web->served->devices, i)) != NULL; i++) {
		struct run *run = is_focuser(dev) ?
			autofocus_run(served_autofocus(web->served, dev), 0) : NULL;
		if (run != NULL) {
			sample(out, "focusd_autofocus_hfr_pixels", dev, run->hfr_final_px);
			sample(&durations, "focusd_autofocus_duration_seconds", dev, run->duration_s);
			run_free(run);
		}
	}
	buf_add(out, buf_text(&durations), durations.len);
	buf_fini(&durations);
}

static void http_family(struct web *web, struct buf *out)
{
	uint64_t by_class[6] = {0};
	pthread_mutex_lock(&web->lock);
	struct http_server *server = web->server;
	pthread_mutex_unlock(&web->lock);
	if (server != NULL) {
		http_server_counts(server, by_class);
	}
	family(out, "focusd_http_requests_total", "counter", "Requests answered, by class of status.");
	for (int i = 1; i <= 5; i++) {
		buf_printf(out, "focusd_http_requests_total{code=\"%dxx\"} %" PRIu64 "\n", i, by_class[i]);
	}
}

enum http_result metrics_answer(struct web *web, const char *rest, const struct http_request *req,
	struct http_response *res)
{
	(void)rest;
	(void)req;
	web_body(res, "text/plain; version=0.0.4; charset=utf-8", 256 * 1024);
	struct buf *out = &res->body;
	family(out, "focusd_build_info", "gauge", "Always 1; the version is in the label.");
	buf_printf(out, "focusd_build_info{version=\"%s\"} 1\n", FOCUSD_VERSION);
	focuser_family(web, out, METRIC_POSITION, "focusd_focuser_position_steps",
		"Position of the focuser; absent while it is unknown or stale.");
	focuser_family(web, out, METRIC_MOTOR_POSITION, "focusd_focuser_motor_position_steps",
		"The same by the motor's own count, which begins elsewhere where positions are shifted or reversed.");
	focuser_family(web, out, METRIC_KNOWN, "focusd_focuser_position_known",
		"Whether the position can be trusted.");
	trust_family(web, out);
	within_family(web, out);
	focuser_family(web, out, METRIC_JOURNAL, "focusd_focuser_journal_failing",
		"Whether the newest position could not be written to the state directory.");
	focuser_family(web, out, METRIC_TEMPERATURE, "focusd_focuser_temperature_celsius",
		"Temperature; absent without a reading.");
	focuser_family(web, out, METRIC_MOVING, "focusd_focuser_moving",
		"Whether the focuser is moving.");
	focuser_family(web, out, METRIC_STOP, "focusd_focuser_stop_owed",
		"Whether a STOP could not be sent and waits for the link to be back.");
	link_families(web, out);
	run_families(web, out);
	http_family(web, out);
	web_check_body(res);
	return HTTP_DONE;
}
