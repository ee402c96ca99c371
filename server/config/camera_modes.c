/* SPDX-License-Identifier: MIT */
#include "camera_modes.h"

const struct camera_mode_row camera_modes[CAMERA_MODE_ROWS] = {
	{"", {"focusd serves the camera", "focusd borrows the camera", "focusd watches a folder"}},
	{"Drivers", {"indi, exec, replay, simulator", "alpaca", "folder"}},
	{"Owner of the camera",
		{"focusd; with indi together with the other clients of that INDI server",
			"the program whose Alpaca server port names", "the program that writes the frames"}},
	{"Exposures",
		{"focusd's own; with indi they wait while another client exposes",
			"focusd's own, made by the owner, which refuses them while it is busy",
			"none; the frames that come are measured"}},
	{"Autofocus", {"yes", "yes", "no; GuidedFocus leads a hand at the knob by the frames that come"}},
	{"Gain, binning, cooler",
		{"what the driver offers; a command knows gain only", "what the owner offers", "the other program's"}},
	{"Other programs",
		{"find the camera here", "find the camera here and at its owner",
			"keep the camera; it is not found here without announce = yes"}},
	{"At the end",
		{"the camera is let go",
			"the owner keeps it; it is disconnected only if focusd connected it and nobody else is there",
			"nothing changes"}},
};
