// Typing goes into the search field at once.
document.querySelector(".bd-search-container input").select();
