/* A classic script, because it must also run where no module may: in a page opened from a file. It says then what to
   do; else it brings the page to life. Nothing else is loaded before the reader draws or picks a digit. */
(() => {
  const lab = document.getElementById("digit-lab");
  import(new URL(lab.dataset.module, document.baseURI)).then(
    (page) => page.start(lab),
    (error) => {
      const alert = document.createElement("p");
      alert.className = "digit-error";
      alert.setAttribute("role", "alert");
      alert.textContent =
        location.protocol === "file:"
          ? "This page was opened from a file, and browsers do not let such a page load the network. In the course's folder, run " +
            "python3 course.py site --serve, and open the address that it prints."
          : `The script of this page could not be loaded (${error.message}). Reload the page. If this stays, ` +
            "the site was copied without its folder _static/digit: build it again.";
      lab.replaceChildren(alert);
    },
  );
})();
