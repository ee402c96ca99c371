/* SPDX-License-Identifier: MIT */
/* What a configuration without errors means for its cameras. */
#include "camera_modes.h"
#include "config_private.h"
#include "plain_file.h"

/* What a folder of frames or a command needs of the sandboxed service. */
static void describe_service(const struct camera_port *port, const struct config_driver *driver, struct buf *out)
{
	static const char edit[] = "from the folder systemd beside the examples, by sudo systemctl edit focusd";
	char text[256] = "";
	if (driver->service_needs != NULL) {
		driver->service_needs(port, text, sizeof text);
	}
	if (text[0] != '\0') {
		buf_printf(out, "  As a service it needs %s, %s\n", text, edit);
	}
	const char *path = driver->uses_path ? port->path : "";
	if (path[0] != '\0' && !plain_path_is_open(path, text, sizeof text)) {
		buf_printf(out, "  As a service it needs folder-camera.conf, %s: %s\n", edit, text);
	}
}

void camera_modes_describe(const struct config *config, const struct config_drivers *drivers, struct buf *out)
{
	for (int n = 0; n < CONFIG_MAX_DEVICES; n++) {
		const struct config_camera *c = &config->camera[n];
		const struct config_driver *driver =
			c->present ? config_driver_find(drivers->cameras, c->driver) : NULL;
		if (driver == NULL) {
			continue;
		}
		buf_printf(out, "[camera.%d] %s: %s\n", n, c->driver, camera_modes[0].words[driver->mode]);
		for (int row = 2; row < CAMERA_MODE_ROWS; row++) {
			buf_printf(out, "  %s: %s\n", camera_modes[row].label, camera_modes[row].words[driver->mode]);
		}
		describe_service(&c->port, driver, out);
	}
}
