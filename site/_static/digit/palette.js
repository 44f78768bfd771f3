/** The course's colours, from the palette.json of the package ee559, which the site's build copies beside this folder. */

export const PALETTE = await (await fetch(new URL("../palette.json", import.meta.url))).json();

/** Red, green and blue of #rrggbb. */
export const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
