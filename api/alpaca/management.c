/* SPDX-License-Identifier: MIT */
/* The management interface tells who this server is and which devices it has. It answers from memory. */
#include "alpaca_call.h"

#include <string.h>

#include "json.h"

static void api_versions(const struct served *served, struct json_writer *w)
{
	(void)served;
	/* There is one version only, because clients list every device once for each. */
	json_array(w);
	json_int(w, 1);
	json_end_array(w);
}

static void description(const struct served *served, struct json_writer *w)
{
	const struct config *config = settings_get(served->settings);
	const struct config_server *server = &config->server;
	json_object(w);
	json_key_string(w, "ServerName", server->name);
	json_key_string(w, "Manufacturer", "focusd project");
	json_key_string(w, "ManufacturerVersion", FOCUSD_VERSION);
	json_key_string(w, "Location", server->location);
	json_end_object(w);
	settings_release(served->settings, config);
}

static void configured_devices(const struct served *served, struct json_writer *w)
{
	json_array(w);
	const struct device *dev;
	for (int i = 0; (dev = devices_at(served->devices, i)) != NULL; i++) {
		const struct device_info *info = device_info(dev);
		if (!info->announced) {
			continue;
		}
		json_object(w);
		json_key_string(w, "DeviceName", info->name);
		json_key_string(w, "DeviceType", info->kind->alpaca_type);
		json_key_int(w, "DeviceNumber", info->number);
		json_key_string(w, "UniqueID", info->unique_id);
		json_end_object(w);
	}
	json_end_array(w);
}

static const struct {
	const char *path;
	void (*write)(const struct served *served, struct json_writer *w);
} pages[] = {
	{"/management/apiversions", api_versions},
	{"/management/v1/description", description},
	{"/management/v1/configureddevices", configured_devices},
};

enum http_result management_handle(
	struct alpaca *alpaca, const struct http_request *req, struct http_response *res)
{
	size_t i = 0;
	size_t count = sizeof pages / sizeof pages[0];
	while (i < count && strcmp(req->path, pages[i].path) != 0) {
		i++;
	}
	if (i == count) {
		http_text(res, 400,
			"Not a management address: there are /management/apiversions, "
			"/management/v1/description and /management/v1/configureddevices.");
		return HTTP_DONE;
	}
	if (req->verb != HTTP_GET && req->verb != HTTP_HEAD) {
		http_text(res, 405, "%s takes only GET.", pages[i].path);
		http_add_header(res, "Allow", "GET");
		return HTTP_DONE;
	}
	struct err err = {.code = ERR_OK};
	struct call call = {.alpaca = alpaca, .served = alpaca->served, .req = req, .res = res};
	if (alpaca_ids_parse(req->query, true, &call.ids, &err) != ERR_OK) {
		http_text(res, 400, "%s", err.text);
		return HTTP_DONE;
	}
	call.server_transaction = alpaca_next_transaction(alpaca);
	struct buf text;
	struct json_writer w;
	buf_init(&text, 64 * 1024);
	json_begin(&w, &text);
	pages[i].write(alpaca->served, &w);
	return reply_json(&call, &text);
}
