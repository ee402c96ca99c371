/* SPDX-License-Identifier: MIT */
/* The route table and every handler, called as the HTTP server calls them, over a core in memory.
 */
#include "call_fixture.h"

static const struct route *row(unsigned device, const char *member, enum http_verb verb)
{
	const struct route *found = NULL;
	for (size_t i = 0; i < alpaca_route_count; i++) {
		const struct route *route = &alpaca_routes[i];
		if ((route->devices & device) != 0 && route->verb == verb &&
			strcmp(route->member, member) == 0) {
			assert_null(found); /* one row each */
			found = route;
		}
	}
	return found;
}

/* Names and verbs of the published OpenAPI files, when the folder with them is at hand. */
static void table_has_every_operation(void **state)
{
	(void)state;
	const char *folder = getenv("FOCUSD_SHARED");
	static const char *const files[] = {"AlpacaDeviceAPI_v1.yaml", "AlpacaDeviceAPI_v1P7.yaml"};
	for (size_t f = 0; f < COUNT(files); f++) {
		char path[512];
		snprintf(path, sizeof path, "%s/reference/openapi/%s",
			folder != NULL && folder[0] != '\0' ? folder : "../shared", files[f]);
		FILE *file = fopen(path, "r");
		if (file == NULL) {
			print_message("SKIPPED: %s is not there; set FOCUSD_SHARED\n", path);
			skip();
		}
		char line[512];
		char type[32] = "";
		char member[64] = "";
		int operations = 0;
		while (fgets(line, sizeof line, file) != NULL) {
			char *text = line + strspn(line, " '\"");
			size_t indent = (size_t)(text - line);
			text[strcspn(text, "'\":\r\n")] = '\0';
			if (text[0] == '/' && indent <= 4) {
				char *slash = strstr(text, "/{device_number}/");
				member[0] = '\0';
				if (slash != NULL) {
					snprintf(member, sizeof member, "%s", slash + 17);
					*slash = '\0';
					snprintf(type, sizeof type, "%.31s", text + 1);
				}
				continue;
			}
			bool is_put = strcmp(text, "put") == 0;
			if (member[0] == '\0' || indent != 4 ||
				(!is_put && strcmp(text, "get") != 0)) {
				continue;
			}
			bool common = strcmp(type, "{device_type}") == 0;
			bool focuser = strcmp(type, "focuser") == 0;
			bool camera = strcmp(type, "camera") == 0;
			enum http_verb verb = is_put ? HTTP_PUT : HTTP_GET;
			if (((common || focuser) && row(ROUTE_FOCUSER, member, verb) == NULL) ||
				((common || camera) && row(ROUTE_CAMERA, member, verb) == NULL)) {
				fail_msg("%s %s of %s has no row", text, member, type);
			}
			operations += common || focuser || camera;
		}
		fclose(file);
		/* 16 common, 12 of a focuser, 72 of a camera. */
		assert_int_equal(operations, 100);
	}
}

static void every_row_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < alpaca_route_count; i++) {
		const struct route *route = &alpaca_routes[i];
		const char *type = (route->devices & ROUTE_FOCUSER) != 0 ? "focuser" : "camera";
		char path[96];
		snprintf(path, sizeof path, "%s/0/%s", type, route->member);
		fake->device[0].connected = true;
		fake->device[1].connected = true;
		if (route->verb == HTTP_GET) {
			struct answer answer = get(path);
			int error = number(&answer);
			assert_true(error == 0 || error == 0x400 || error == 0x40B);
			assert_has(&answer, "\"Value\":");
			assert_has(&answer, "\"ClientTransactionID\":21,");
			if (route->handler == NULL) {
				assert_int_equal(error, 0x400);
			}
			continue;
		}
		/* A form with every parameter, then once without each, once with rubbish in each.
		 */
		char form[200] = "";
		for (int p = 0; p < ALPACA_MAX_PARAMS && route->param[p].name != NULL; p++) {
			size_t at = strlen(form);
			snprintf(form + at, sizeof form - at, "%s=%s&", route->param[p].name,
				route->param[p].type == PARAM_BOOL ? "true" : "1");
			char part[300];
			if (!route->param[p].optional) {
				struct answer missing = put(path, "");
				assert_int_equal(missing.status, 400);
				assert_string_equal(
					missing.content_type, "text/plain; charset=utf-8");
			}
			if (route->param[p].type != PARAM_STRING) {
				snprintf(part, sizeof part, "%.*s%s=asdqwe", (int)at, form,
					route->param[p].name);
				struct answer rubbish = put(path, part);
				assert_int_equal(rubbish.status, 400);
				assert_has(&rubbish, route->param[p].name);
			}
		}
		struct answer answer = put(path, form);
		int error = number(&answer);
		assert_true(error == 0 || error == 0x400 || error == 0x401 || error == 0x40C);
		if (route->handler == NULL) {
			assert_int_equal(error, 0x400);
		}
	}
}

static void needs_connection_where_the_table_says(void **state)
{
	(void)state;
	fake->device[0].connected = false;
	fake->device[1].connected = false;
	for (size_t i = 0; i < alpaca_route_count; i++) {
		const struct route *route = &alpaca_routes[i];
		if (route->verb != HTTP_GET) {
			continue;
		}
		char path[96];
		snprintf(path, sizeof path, "%s/0/%s",
			(route->devices & ROUTE_FOCUSER) != 0 ? "focuser" : "camera",
			route->member);
		struct answer answer = get(path);
		int error = number(&answer);
		bool common =
			route->devices == ROUTE_ANY || strcmp(route->member, "devicestate") == 0;
		assert_int_equal(error, common ? 0 : route->handler == NULL ? 0x400 : 0x407);
	}
	struct answer answer = get("focuser/0/devicestate");
	assert_has(&answer, "{\"Value\":[],");
	answer = get("camera/0/imagearray");
	assert_has(&answer, "{\"Type\":0,\"Rank\":0,\"Value\":[],");
}

static void envelopes_to_the_byte(void **state)
{
	(void)state;
	struct answer answer = get("focuser/0/position");
	assert_string_equal(answer.text, "{\"Value\":12500,\"ClientTransactionID\":21,"
					 "\"ServerTransactionID\":1,\"ErrorNumber\":0,"
					 "\"ErrorMessage\":\"\"}");
	answer = put("focuser/0/move", "Position=100&ClientTransactionID=4294967295");
	assert_string_equal(answer.text, "{\"ClientTransactionID\":4294967295,"
					 "\"ServerTransactionID\":2,\"ErrorNumber\":0,"
					 "\"ErrorMessage\":\"\"}");
	answer = get("focuser/0/temperature");
	assert_has(&answer, "{\"Value\":3.76,");
	answer = put("camera/0/binx", "BinX=9&clienttransactionid=5");
	assert_string_equal(answer.text, "{\"ClientTransactionID\":0,\"ServerTransactionID\":4,"
					 "\"ErrorNumber\":1025,\"ErrorMessage\":"
					 "\"BinX must be 1 or 2, not 9.\"}");
	answer = get("focuser/0/description");
	assert_has(&answer, "\"Fake \\\"quoted\\\" device\"");
	atomic_store(&alpaca->transactions, UINT32_MAX);
	answer = get("focuser/0/absolute");
	assert_has(&answer, "\"ServerTransactionID\":1,");
}

static void wrong_paths_and_verbs(void **state)
{
	(void)state;
	struct answer answer = get("focuser/0/isMoving");
	assert_int_equal(answer.status, 400);
	answer = get("focuser/0/gain");
	assert_int_equal(answer.status, 400);
	answer = get("focuser/1/position");
	assert_int_equal(answer.status, 400);
	assert_has(&answer, "configureddevices");
	answer = get("focuser/99999/position");
	assert_int_equal(answer.status, 400);
	answer = get("focuser/0/posit");
	assert_int_equal(answer.status, 400);
	answer = get("focuser/0/positions");
	assert_int_equal(answer.status, 400);
	answer = put("focuser/0/position", "");
	assert_int_equal(answer.status, 405);
	assert_string_equal(answer.allow, "GET");
	answer = get("focuser/0/move");
	assert_int_equal(answer.status, 405);
	assert_string_equal(answer.allow, "PUT");
	answer = ask(HTTP_OTHER, "/api/v1/focuser/0/connected", "");
	assert_int_equal(answer.status, 405);
	assert_string_equal(answer.allow, "GET, PUT");
	answer = ask(HTTP_POST, "/api/v1/focuser/0/halt", "");
	assert_int_equal(answer.status, 405);
	assert_int_equal(fake->device[0].halts, 0);
	answer = ask(HTTP_GET, "/management/v2/description", "");
	assert_int_equal(answer.status, 400);
	assert_true(
		alpaca_owns("/api") && alpaca_owns("/api/x") && alpaca_owns("/management/v1/x"));
	assert_false(alpaca_owns("/apix") || alpaca_owns("/setup") || alpaca_owns("/"));
	assert_false(alpaca_owns("/setup/v1/focuser/0/setup"));
}

static void ids_and_parameters(void **state)
{
	(void)state;
	struct answer answer = put("focuser/0/move", "Position=5&ClientID=-12345");
	assert_int_equal(answer.status, 400);
	answer = put("focuser/0/move", "pOSITION=5");
	assert_int_equal(answer.status, 400);
	assert_int_equal(fake->device[0].moves, 0);
	answer = ask(HTTP_GET, "/api/v1/focuser/0/position",
		"clientid=1&clienttransactionid=67890&ExtraParameter=ExtraValue");
	assert_has(&answer, "\"ClientTransactionID\":67890,");
	answer = put("focuser/0/connected", "Connected=123456");
	assert_int_equal(answer.status, 400);
	answer = put("camera/0/startexposure", "Duration=1E-05&Light=False");
	assert_int_equal(number(&answer), 0);
	answer = put("camera/0/startexposure", "Duration=-1.0&Light=True");
	assert_int_equal(number(&answer), 0x401);
	answer = put("camera/0/startexposure", "Duration=nan&Light=True");
	assert_int_equal(answer.status, 400);
	answer = put("focuser/0/tempcomp", "TempComp=True");
	assert_int_equal(number(&answer), 0x400);
	answer = put("focuser/0/tempcomp", "TempComp=1");
	assert_int_equal(answer.status, 400);
}

static void device_state_has_exact_names(void **state)
{
	(void)state;
	struct answer answer = get("focuser/0/devicestate");
	assert_has(&answer, "{\"Value\":[{\"Name\":\"IsMoving\",\"Value\":false},"
			    "{\"Name\":\"Position\",\"Value\":12500},"
			    "{\"Name\":\"Temperature\",\"Value\":3.76},"
			    "{\"Name\":\"TimeStamp\",\"Value\":\"20");
	assert_int_equal(number(&answer), 0);
	/* While the link is reopened: nothing moves, the last position stays. */
	fake->device[0].focuser.link = LINK_LOST;
	fake->device[0].focuser.is_moving = true;
	fake->device[0].focuser.position_stale = true;
	fake->device[0].focuser.temperature_valid = false;
	answer = get("focuser/0/devicestate");
	assert_has(&answer, "{\"Name\":\"IsMoving\",\"Value\":false},"
			    "{\"Name\":\"Position\",\"Value\":12500},{\"Name\":\"TimeStamp\"");
	fake->device[0].focuser.position_valid = false;
	answer = get("focuser/0/devicestate");
	assert_null(strstr(answer.text, "Position"));
	fake->device[1].camera.image_ready = true;
	answer = get("camera/0/devicestate");
	assert_has(&answer, "{\"Value\":[{\"Name\":\"CameraState\",\"Value\":0},"
			    "{\"Name\":\"ImageReady\",\"Value\":true},"
			    "{\"Name\":\"PercentCompleted\",\"Value\":100},"
			    "{\"Name\":\"TimeStamp\",\"Value\":\"20");
}

static void management(void **state)
{
	(void)state;
	struct answer answer = ask(HTTP_GET, "/management/apiversions", "");
	assert_has(&answer, "{\"Value\":[1],\"ClientTransactionID\":0,");
	assert_int_equal(number(&answer), 0);
	answer = ask(HTTP_GET, "/management/v1/description", "ClientTransactionID=8");
	assert_has(&answer,
		"{\"Value\":{\"ServerName\":\"focusd\",\"Manufacturer\":\"focusd project\","
		"\"ManufacturerVersion\":\"");
	assert_has(&answer, "\"Location\":\"Pier 1\"},\"ClientTransactionID\":8,");
	answer = ask(HTTP_GET, "/management/v1/configureddevices", "");
	assert_has(&answer,
		"{\"Value\":[{\"DeviceName\":\"Fake focuser\",\"DeviceType\":\"Focuser\","
		"\"DeviceNumber\":0,\"UniqueID\":\"aaaa-0000\"},"
		"{\"DeviceName\":\"Fake camera\",\"DeviceType\":\"Camera\","
		"\"DeviceNumber\":0,\"UniqueID\":\"bbbb-0000\"}],");
	answer = ask(HTTP_GET, "/management/apiversions", "ClientID=x");
	assert_int_equal(answer.status, 400);
	answer = ask(HTTP_PUT, "/management/apiversions", "");
	assert_int_equal(answer.status, 405);
}

#define ACT "/api/v1/focuser/0/action"

static void actions(void **state)
{
	(void)state;
	struct answer answer = get("focuser/0/supportedactions");
	assert_has(&answer, "[\"AutofocusStatus\",\"AutofocusWait\",\"MeasureStars\",\"Autofocus\","
			    "\"AutofocusAbort\",\"Learned\",\"GuidedFocus\",\"SetPosition\",\"SetTemperature\"]");
	static const struct {
		const char *form;
		int error;
		const char *needle;
	} cases[] = {
		{"Action=Dance&Parameters=", 0x40C, "Dance"},
		{"Action=&Parameters=", 0x40C, "supportedactions"},
		{"Action=AutofocusStatus", 0,
			"\"Value\":\"{\\\"run\\\":0,\\\"state\\\":\\\"none\\\"}\""},
		{"Action=AutofocusStatus&Parameters=x", 0x401, "number of a run"},
		{"Action=AutofocusWait&Parameters=", 0x40B, "no autofocus run"},
		{"Action=AutofocusWait&Parameters=91", 0x401, "0 to 90"},
		{"Action=AutofocusAbort&Parameters=", 0, "none"},
		{"Action=Autofocus&Parameters=%7B%22stepp%22%3A+5%7D", 0x401, "\\\"stepp\\\""},
		{"Action=Autofocus&Parameters={\"points\":2}", 0x401, "points must be"},
		{"Action=Autofocus&Parameters={\"points\":\"9\"}", 0x401, "from 5 to 31, without quotes"},
		{"Action=Autofocus&Parameters={\"exposure\":3}", 0x401,
			"has no parameter \\\"exposure\\\"; it has exposure_s, points, step, filter, binning, gain, "
			"camera, mode."},
		{"Action=Autofocus&Parameters={\"exposure_s\":\"1\"}", 0x401, "exposure_s must be"},
		{"Action=Autofocus&Parameters=[1]", 0x401, "JSON object"},
		{"Action=Autofocus&Parameters=rubbish", 0x401, "JSON object"},
		{"Action=autoFOCUS&Parameters={\"step\":0,\"filter\":null,\"gain\":3}", 0,
			"{\\\"run\\\":41,\\\"state\\\":\\\"running\\\"}"},
		{"Action=Autofocus&Parameters=", 0x40B, "Run 41"},
		{"Action=AutofocusStatus&Parameters=41", 0, "running"},
		{"Action=AutofocusWait&Parameters=0", 0x40B, "still running"},
		{"Action=AutofocusAbort", 0, "aborted"},
		{"Action=AutofocusWait", 0x40E, "aborted"},
		{"Action=SetPosition&Parameters=7600", 0, "{\\\"position\\\":7600,\\\"trust\\\":\\\"known\\\"}"},
		{"Action=SetPosition&Parameters={\"position\":+12}", 0, "position\\\":12,"},
		{"Action=setposition&Parameters=%20Keep", 0, "position\\\":12,"},
		{"Action=SetPosition&Parameters=restore%0A", 0, "position\\\":4711,"},
		{"Action=SetPosition&Parameters=-1", 0x401, "outside"},
		{"Action=SetPosition&Parameters=", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters=%20", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters=restored", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters=12.5", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters={}", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters={\"position\":null}", 0x401, "restore or keep"},
		{"Action=SetPosition&Parameters={\"position\":1.5}", 0x401, "whole number"},
		{"Action=SetPosition&Parameters={\"steps\":1}", 0x401, "steps"},
		{"Action=SetPosition&Parameters=4294967296", 0x401, "restore or keep"},
		{"Action=SetTemperature", 0x401, "temperature_c"},
		{"Action=SetTemperature&Parameters=85", 0x401, "-55 to 60"},
		{"Action=SetTemperature&Parameters=11.5", 0, "11.50"},
		{"Action=SetTemperature&Parameters={\"temperature_c\":85}", 0x401, "-55 to 60"},
		{"Action=SetTemperature&Parameters={\"temperature_c\":\"5\"}", 0x401, "-55 to 60"},
		{"Action=SetTemperature&Parameters={\"celsius\":5}", 0x401, "celsius"},
		{"Action=settemperature&Parameters={\"temperature_c\":-7.25}", 0, "-7.25"},
	};
	fake->device[0].focuser.remembered = 4711;
	for (size_t i = 0; i < COUNT(cases); i++) {
		answer = ask(HTTP_PUT, ACT, cases[i].form);
		assert_int_equal(number(&answer), cases[i].error);
		assert_has(&answer, cases[i].needle);
	}
	assert_true(fake->autofocus.run_params.step == 0 && isnan(fake->autofocus.run_params.exposure_s));
	assert_int_equal(fake->autofocus.run_params.gain, 3);
	assert_int_equal(fake->autofocus.run_params.binning, -1);
	answer = ask(HTTP_PUT, ACT, "Parameters=");
	assert_int_equal(answer.status, 400);
	answer = put("camera/0/action", "Action=Autofocus&Parameters=");
	assert_int_equal(number(&answer), 0x40C);
	fake->device[0].connected = false;
	answer = ask(HTTP_PUT, ACT, "Action=Autofocus");
	assert_int_equal(number(&answer), 0x407);
}

static void calibrate(void **state)
{
	(void)state;
	struct device *dev = &fake->device[0];
	/* A focuser that cannot does not have the action. */
	struct answer answer = ask(HTTP_PUT, ACT, "Action=Calibrate&Parameters=");
	assert_int_equal(number(&answer), 0x40C);
	dev->calibration = (struct focuser_calibration){.possible = true, .step = 5, .of = 12};
	answer = get("focuser/0/supportedactions");
	assert_has(&answer, "\"Calibrate\"]");
	static const struct {
		const char *form;
		int error;
		const char *needle;
		int starts, aborts;
	} cases[] = {
		{"Action=Calibrate&Parameters=", 0, "{\\\"step\\\":5}", 1, 0},
		{"Action=calibrate", 0, "step", 2, 0},
		{"Action=Calibrate&Parameters=start", 0, "step", 3, 0},
		{"Action=Calibrate&Parameters=+Start%0A", 0, "step", 4, 0},
		{"Action=Calibrate&Parameters=status", 0, "step", 4, 0},
		{"Action=Calibrate&Parameters=abort", 0, "step", 4, 1},
		{"Action=Calibrate&Parameters=abort+start", 0x401, "start, abort, or status", 4, 1},
		{"Action=Calibrate&Parameters=stop", 0x401, "start, abort, or status", 4, 1},
		{"Action=Calibrate&Parameters={}", 0x401, "start, abort, or status", 4, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		answer = ask(HTTP_PUT, ACT, cases[i].form);
		assert_int_equal(number(&answer), cases[i].error);
		assert_has(&answer, cases[i].needle);
		assert_int_equal(dev->calibrations, cases[i].starts);
		assert_int_equal(dev->calibration_aborts, cases[i].aborts);
		dev->calibration.ongoing = 0;
	}
	dev->connected = false;
	answer = ask(HTTP_PUT, ACT, "Action=Calibrate&Parameters=start");
	assert_int_equal(number(&answer), 0x407);
	answer = ask(HTTP_PUT, ACT, "Action=Calibrate&Parameters=status");
	assert_int_equal(number(&answer), 0);
	assert_int_equal(dev->calibrations, 4);
}

/* No turn of a call waits for the disk: it asks, is suspended, and looks again. */
static void runs_of_old_come_from_the_store(void **state)
{
	(void)state;
	static const struct {
		const char *form;
		enum err_code fails;
		int error;
		const char *needle;
	} cases[] = {
		{"Action=AutofocusStatus&Parameters=5", ERR_OK, 0, "succeeded"},
		{"Action=AutofocusStatus&Parameters=7", ERR_OK, 0x401, "no run 7"},
		{"Action=AutofocusStatus&Parameters=5", ERR_IO, 0x500, "the disk sleeps"},
	};
	struct answer answer;
	for (size_t i = 0; i < COUNT(cases); i++) {
		fake->store.ready = false;
		fake->store.fails = cases[i].fails;
		answer = ask(HTTP_PUT, ACT, cases[i].form);
		assert_int_equal(answer.result, HTTP_WAIT);
		answer = again(HTTP_PUT, ACT, cases[i].form);
		assert_int_equal(answer.result, HTTP_WAIT);
		fake->store.ready = true;
		answer = again(HTTP_PUT, ACT, cases[i].form);
		assert_int_equal(number(&answer), cases[i].error);
		assert_has(&answer, cases[i].needle);
	}
	/* A store that says nothing is not waited for without an end. */
	fake->store.ready = false;
	answer = ask(HTTP_PUT, ACT, "Action=AutofocusStatus&Parameters=5");
	assert_int_equal(answer.result, HTTP_WAIT);
	((struct alpaca_wait *)waiting.data)->deadline_ms = 0;
	answer = again(HTTP_PUT, ACT, "Action=AutofocusStatus&Parameters=5");
	assert_int_equal(answer.result, HTTP_DONE);
	assert_has(&answer, "the disk did not answer in 10 s");
}

static void waiting_for_a_run_that_another_has_followed(void **state)
{
	(void)state;
	ask(HTTP_PUT, ACT, "Action=Autofocus");
	struct answer answer = ask(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake_finish_run(fake, RUN_FAILED, ERR_NO_MINIMUM);
	fake_forget_run(fake);
	answer = again(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake->store.ready = true;
	answer = again(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(number(&answer), 0);
	assert_has(&answer, "\\\"run\\\":41,");
}

static void waiting_for_a_run(void **state)
{
	(void)state;
	ask(HTTP_PUT, ACT, "Action=Autofocus");
	struct answer answer = ask(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(answer.result, HTTP_WAIT);
	answer = again(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake_finish_run(fake, RUN_SUCCEEDED, ERR_OK);
	answer = again(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(number(&answer), 0);
	assert_has(&answer, "succeeded");
	/* The number of the reply was given when the request came. */
	assert_has(&answer, "\"ServerTransactionID\":2,");
	ask(HTTP_PUT, ACT, "Action=Autofocus");
	fake_finish_run(fake, RUN_FAILED, ERR_NO_MINIMUM);
	answer = ask(HTTP_PUT, ACT, "Action=AutofocusWait");
	assert_int_equal(number(&answer), 0x512);
	assert_has(&answer, "the sky fell down");
	answer = ask(HTTP_PUT, ACT, "Action=MeasureStars&Parameters={\"exposure_s\":2}");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake_finish_measure(fake);
	answer = again(HTTP_PUT, ACT, "Action=MeasureStars&Parameters={\"exposure_s\":2}");
	assert_has(&answer, "\"Value\":\"{\\\"stars\\\":12}\"");
	/* The focuser's own camera measures, and the one that was asked when it is a camera. */
	assert_int_equal(fake->autofocus.measured_camera, -1);
	ask(HTTP_PUT, "/api/v1/camera/0/action", "Action=measurestars&Parameters=");
	assert_int_equal(fake->autofocus.measured_camera, 0);
	answer = ask(HTTP_PUT, "/api/v1/camera/0/action", "Action=Autofocus&Parameters=");
	assert_int_equal(number(&answer), 0x40C);
}

static void connecting_waits(void **state)
{
	(void)state;
	struct device *dev = &fake->device[0];
	dev->connected = false;
	dev->hold_connect = true;
	struct answer answer = put("focuser/0/connected", "Connected=True&ClientTransactionID=4");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake_finish_connect(fake, dev, ERR_OK);
	answer = again(
		HTTP_PUT, "/api/v1/focuser/0/connected", "Connected=True&ClientTransactionID=4");
	assert_int_equal(number(&answer), 0);
	assert_has(&answer, "\"ClientTransactionID\":4,");
	answer = get("focuser/0/connected");
	assert_has(&answer, "{\"Value\":true,");
	answer = put("focuser/0/connected", "Connected=True");
	assert_int_equal(answer.result, HTTP_WAIT);
	fake_finish_connect(fake, dev, ERR_IO);
	answer = again(HTTP_PUT, "/api/v1/focuser/0/connected", "Connected=True");
	assert_int_equal(number(&answer), 0x500);
	assert_has(&answer, "The port is gone.");
	answer = put("focuser/0/connect", "");
	assert_int_equal(number(&answer), 0);
	answer = get("focuser/0/connecting");
	assert_has(&answer, "{\"Value\":true,");
	answer = put("focuser/0/connected", "Connected=false");
	assert_int_equal(number(&answer), 0);
}

/* ---- PUTs that come again: section 8.2 of the contract ---- */

#define IDS "&ClientID=3&ClientTransactionID=5"

static void end_exposure(void)
{
	fake->device[1].camera.ongoing_exposure = 0;
}

static void end_run(void)
{
	fake_finish_run(fake, RUN_SUCCEEDED, ERR_OK);
}

static void end_calibration(void)
{
	fake->device[0].calibration.ongoing = 0;
}

/* Everything that a PUT can start. */
static const struct {
	const char *member;
	const char *body, *between; /* a setter or question, with the same ids */
	const char *between_member;
	void (*end)(void);
} starters[] = {
	{"camera/0/startexposure", "Duration=2&Light=true", "BinX=1", "camera/0/binx", end_exposure},
	{"focuser/0/action", "Action=Autofocus&Parameters=", "Action=AutofocusStatus", "focuser/0/action", end_run},
	{"focuser/0/action", "Action=Calibrate&Parameters=start", "Action=Calibrate&Parameters=status",
		"focuser/0/action", end_calibration},
};

static int starts_of(size_t i)
{
	const int counts[] = {
		fake->device[1].starts, fake->autofocus.run_starts, fake->device[0].calibrations};
	return counts[i];
}

/* A client that did not hear the answer to a start sends it again, and hears the first answer while it goes on. */
static void repeated_starts(void **state)
{
	(void)state;
	fake->device[0].calibration.possible = true;
	for (size_t i = 0; i < COUNT(starters); i++) {
		char form[200];
		char between[200];
		snprintf(form, sizeof form, "%s" IDS, starters[i].body);
		snprintf(between, sizeof between, "%s" IDS, starters[i].between);
		struct answer first = put(starters[i].member, form);
		assert_int_equal(number(&first), 0);
		for (int k = 0; k < 3; k++) {
			struct answer again = put(starters[i].member, form);
			assert_string_equal(again.text, first.text);
			assert_int_equal(starts_of(i), 1);
			struct answer other = put(starters[i].between_member, between);
			assert_int_equal(number(&other), 0);
			assert_string_not_equal(other.text, first.text);
		}
		starters[i].end();
		struct answer second = put(starters[i].member, form);
		assert_int_equal(number(&second), 0);
		assert_string_not_equal(second.text, first.text); /* at least the ServerTransactionID */
		assert_int_equal(starts_of(i), 2);
		starters[i].end();
	}
}

/* Whatever is not the same PUT of the same client is a second start. */
static void other_starts_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *peer;
		const char *first, *second; /* what follows the body */
	} others[] = {
		{"10.0.0.2", IDS, "&ClientID=3&ClientTransactionID=6"},
		{"10.0.0.2", IDS, "&ClientID=4&ClientTransactionID=5"},
		{"10.0.0.2", IDS, "&ClientTransactionID=5&ClientID=3"}, /* another raw body */
		{"10.0.0.2", IDS, ""},
		{"10.0.0.3", IDS, IDS},
		{"10.0.0.2", "", ""},
		{"10.0.0.2", "&ClientID=3", "&ClientID=3"},
		{"10.0.0.2", "&ClientTransactionID=5", "&ClientTransactionID=5"},
		{"10.0.0.2", "&ClientID=0&ClientTransactionID=5", "&ClientID=0&ClientTransactionID=5"},
		{"10.0.0.2", "&ClientID=3&ClientTransactionID=0", "&ClientID=3&ClientTransactionID=0"},
	};
	fake->device[0].calibration.possible = true;
	for (size_t i = 0; i < COUNT(starters); i++) {
		for (size_t k = 0; k < COUNT(others); k++) {
			char form[200];
			snprintf(form, sizeof form, "%s%s", starters[i].body, others[k].first);
			struct answer answer = put(starters[i].member, form);
			assert_int_equal(number(&answer), 0);
			snprintf(form, sizeof form, "%s%s", starters[i].body, others[k].second);
			peer = others[k].peer;
			answer = put(starters[i].member, form);
			assert_int_equal(number(&answer), 0x40B);
			peer = "10.0.0.2";
			starters[i].end();
		}
	}
}

/* What somebody else started after the first was over is not the first one's, and a refused start takes no place. */
static void a_start_of_somebody_else_is_not_mine(void **state)
{
	(void)state;
	fake->device[0].calibration.possible = true;
	for (size_t i = 0; i < COUNT(starters); i++) {
		char mine[200];
		char theirs[200];
		snprintf(mine, sizeof mine, "%s" IDS, starters[i].body);
		snprintf(theirs, sizeof theirs, "%s&ClientID=9&ClientTransactionID=9", starters[i].body);
		struct answer first = put(starters[i].member, mine);
		assert_int_equal(number(&first), 0);
		struct answer answer = put(starters[i].member, theirs);
		assert_int_equal(number(&answer), 0x40B);
		answer = put(starters[i].member, mine);
		assert_string_equal(answer.text, first.text);
		starters[i].end();
		answer = put(starters[i].member, theirs);
		assert_int_equal(number(&answer), 0);
		answer = put(starters[i].member, mine);
		assert_int_equal(number(&answer), 0x40B);
		starters[i].end();
	}
}

/* Checkers and scripts send the same ids with every PUT: each of these is carried out. */
static void same_ids_are_no_repetition(void **state)
{
	(void)state;
	for (int k = 1; k <= 3; k++) {
		put("focuser/0/move", "Position=100" IDS);
		assert_int_equal(fake->device[0].moves, k);
		put("focuser/0/halt", "ClientID=3&ClientTransactionID=5");
		assert_int_equal(fake->device[0].halts, k);
	}
	struct answer answer = ask(HTTP_PUT, ACT, "Action=AutofocusStatus" IDS);
	assert_has(&answer, "none");
	ask(HTTP_PUT, ACT, "Action=Autofocus" IDS);
	answer = ask(HTTP_PUT, ACT, "Action=AutofocusStatus" IDS);
	assert_has(&answer, "running");
	fake_finish_run(fake, RUN_SUCCEEDED, ERR_OK);
	answer = ask(HTTP_PUT, ACT, "Action=AutofocusStatus" IDS);
	assert_has(&answer, "succeeded");
	for (int k = 1; k <= 3; k++) {
		answer = ask(HTTP_PUT, ACT, "Action=MeasureStars" IDS);
		assert_int_equal(answer.result, HTTP_WAIT);
		assert_int_equal(fake->autofocus.measurements, k);
	}
}

/* Two equal calls that wait are two calls. */
static void equal_waits_are_two(void **state)
{
	(void)state;
	ask(HTTP_PUT, ACT, "Action=Autofocus");
	static const char wait[] = "Action=AutofocusWait" IDS;
	struct http_wait one = {.resumed = false};
	struct http_wait two = {.resumed = false};
	assert_int_equal(turn(HTTP_PUT, ACT, wait, &one).result, HTTP_WAIT);
	assert_int_equal(turn(HTTP_PUT, ACT, wait, &two).result, HTTP_WAIT);
	one.resumed = true;
	two.resumed = true;
	fake_finish_run(fake, RUN_SUCCEEDED, ERR_OK);
	struct answer second = turn(HTTP_PUT, ACT, wait, &two);
	struct answer first = turn(HTTP_PUT, ACT, wait, &one);
	assert_int_equal(number(&first), 0);
	assert_int_equal(number(&second), 0);
	assert_has(&first, "\"ServerTransactionID\":2,");
	assert_has(&second, "\"ServerTransactionID\":3,");
	free(one.data);
	free(two.data);
}

/* No text of a client breaks the handlers, whatever the member. */
static void junk_everywhere(void **state)
{
	(void)state;
	static const char *const junk[] = {"&&&===", "=1&=2", "%%%",
		"Action=%ff&Position=%ff&BinX=%ff", "Action=AutofocusStatus&Parameters=%ff%fe",
		"ClientID=%00", "Position=1e999&Duration=1e999&Light=x",
		"Parameters={{{{{{&Action=Autofocus", "Action=Autofocus&Parameters={\"\\u0000\":1}",
		"Connected=\xC3\x28&Position=\xC3\x28&Gain=\xC3\x28"};
	for (size_t i = 0; i < alpaca_route_count; i++) {
		for (size_t k = 0; k < COUNT(junk); k++) {
			for (int verb = HTTP_GET; verb <= HTTP_OTHER; verb++) {
				char path[96];
				snprintf(path, sizeof path, "/api/v1/%s/0/%s",
					(alpaca_routes[i].devices & ROUTE_FOCUSER) != 0 ? "focuser"
											: "camera",
					alpaca_routes[i].member);
				struct answer answer = ask((enum http_verb)verb, path, junk[k]);
				assert_true(answer.result == HTTP_WAIT || answer.status == 200 ||
					    answer.status == 400 || answer.status == 405);
				assert_true(text_is_utf8((struct span){answer.text, answer.len}));
			}
		}
	}
	assert_int_equal(fake->device[0].moves, 0);
	assert_int_equal(fake->device[1].starts, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(table_has_every_operation),
		TEST(every_row_answers),
		TEST(needs_connection_where_the_table_says),
		TEST(envelopes_to_the_byte),
		TEST(wrong_paths_and_verbs),
		TEST(ids_and_parameters),
		TEST(device_state_has_exact_names),
		TEST(management),
		TEST(actions),
		TEST(calibrate),
		TEST(runs_of_old_come_from_the_store),
		TEST(waiting_for_a_run_that_another_has_followed),
		TEST(waiting_for_a_run),
		TEST(connecting_waits),
		TEST(repeated_starts),
		TEST(other_starts_are_refused),
		TEST(a_start_of_somebody_else_is_not_mine),
		TEST(same_ids_are_no_repetition),
		TEST(equal_waits_are_two),
		TEST(junk_everywhere),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(waiting.data);
	return failed;
}
