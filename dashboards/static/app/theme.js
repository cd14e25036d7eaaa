// @ts-check
// Knows which theme is on; early.js sets the first.

import { computed, effect, signal } from "@preact/signals";

const KEY = "inferometer.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const chosen = signal(localStorage.getItem(KEY));
const system = signal(dark.matches);
dark.addEventListener("change", () => (system.value = dark.matches));

export const themeName = computed(() => chosen.value ?? (system.value ? "dark" : "light"));
effect(() => {
  document.documentElement.dataset.theme = themeName.value;
});

export function toggleTheme() {
  chosen.value = themeName.value === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, chosen.value);
}
