/* docs.h: reference pages made from the tables in the code: what docs/reference holds. */
#ifndef TARN_MAIN_DOCS_H
#define TARN_MAIN_DOCS_H

/* `tarn docs [PAGE]`: writes the page as Markdown to stdout, or the names of all pages. The exit code. */
int docs_main(int argc, char **argv);

#endif
