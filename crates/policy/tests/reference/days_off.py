"""Weekdays off by a package that shares nothing with us: writes days_off.csv beside itself.

    pip install holidays==0.109
    python days_off.py
"""

import csv
import pathlib

import holidays

CALENDARS = {
    "us-federal": lambda year: holidays.US(years=[year, year + 1], observed=True),
    "uk-england-wales": lambda year: holidays.GB(subdiv="ENG", years=year, observed=True),
    "de-federal": lambda year: holidays.DE(years=year),
}

with open(pathlib.Path(__file__).parent / "days_off.csv", "w", newline="", encoding="utf-8") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["calendar", "year", "days"])
    for name, of in CALENDARS.items():
        for year in range(2015, 2041):
            days = sorted(day for day in of(year) if day.year == year and day.weekday() < 5)
            rows.writerow([name, year, " ".join(f"{day:%m-%d}" for day in days)])
