#!/bin/sh
# Check PDF files and what is attached to them with qpdf and poppler: PDF FILE [PDF FILE]...
#
# Each PDF must be one that `qpdf --check` finds nothing wrong with, and must carry FILE, byte for byte, as its one
# attachment. Prints a line for each, `ok PDF` or `REFUSED PDF REASON`. Exit status 0 if all are accepted, 1 if not.
set -u
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT

refused() {
    echo "REFUSED $pdf $1"
    status=1
}

status=0
while [ $# -ge 2 ]; do
    pdf=$1
    file=$2
    shift 2
    rm -f "$folder/attached"
    if ! qpdf --check "$pdf" >"$folder/said" 2>&1; then
        refused "$(tail -n 1 "$folder/said")"
    elif ! pdfdetach -list "$pdf" 2>/dev/null | grep -q '^1 embedded file'; then
        refused 'it does not carry exactly one attachment'
    elif ! pdfdetach -save 1 -o "$folder/attached" "$pdf" >/dev/null 2>&1 || ! cmp -s "$folder/attached" "$file"; then
        refused 'its attachment is another file'
    else
        echo "ok $pdf"
    fi
done
exit $status
