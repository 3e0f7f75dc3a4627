// Package browser walks the dashboard in a real Chromium, as people would, and
// has axe look at its accessibility. Screenshots go to the folder that
// HAL0_SCREENSHOTS names; integration/run sets it.
package browser
