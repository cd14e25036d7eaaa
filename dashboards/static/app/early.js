// @ts-check
// Knows the theme before anything is painted.
"use strict";
document.documentElement.dataset.theme =
  localStorage.getItem("inferometer.theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
