// The reader's choice of light or dark, before the page is drawn.
const { dataset } = document.documentElement;
dataset.mode = localStorage.getItem("mode") || dataset.theme;
dataset.theme = localStorage.getItem("theme") || dataset.theme;
