//! A drawing as SVG text, the same for the same strokes. Not here: axes, rows and what they mean.

use std::fmt::Write as _;

/// A drawing that grows stroke by stroke. Lengths are in SVG user units.
pub(crate) struct Drawing {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text stands from its point.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    /// It begins there.
    Start,
    /// It is centred there.
    Middle,
    /// It ends there.
    End,
}

/// The shape of a marker, so that colours are never needed to tell two apart.
#[derive(Clone, Copy)]
pub(crate) enum Marker {
    Circle,
    Square,
    Diamond,
}

pub(crate) const INK: &str = "#222222";
pub(crate) const FAINT: &str = "#d0d0d0";

impl Drawing {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        let body = format!("<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n", fixed(width), fixed(height));
        Self { width, height, body }
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str, width: f64, dashed: bool) {
        let dashes = if dashed { " stroke-dasharray=\"3 2\"" } else { "" };
        let [x1, y1, x2, y2, width] = [x1, y1, x2, y2, width].map(fixed);
        self.put(&format!(
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{colour}\" stroke-width=\"{width}\"{dashes}/>"
        ));
    }

    pub(crate) fn text(&mut self, (x, y): (f64, f64), size: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let [x, y, size] = [x, y, size].map(fixed);
        let text = escape(text);
        self.put(&format!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{text}</text>"
        ));
    }

    pub(crate) fn marker(&mut self, (x, y): (f64, f64), marker: Marker, colour: &str) {
        let [cx, cy] = [x, y].map(fixed);
        let shape = match marker {
            Marker::Circle => format!("<circle cx=\"{cx}\" cy=\"{cy}\" r=\"4.00\" fill=\"{colour}\"/>"),
            Marker::Square => {
                let [x, y] = [x - 3.6, y - 3.6].map(fixed);
                format!("<rect x=\"{x}\" y=\"{y}\" width=\"7.20\" height=\"7.20\" fill=\"{colour}\"/>")
            }
            Marker::Diamond => {
                let [top, right, bottom, left] = [y - 5.4, x + 5.4, y + 5.4, x - 5.4].map(fixed);
                format!("<path d=\"M{cx} {top}L{right} {cy}L{cx} {bottom}L{left} {cy}Z\" fill=\"{colour}\"/>")
            }
        };
        self.put(&shape);
    }

    /// An arrow head that points to the left or right: the interval goes on behind the edge.
    pub(crate) fn arrow(&mut self, (x, y): (f64, f64), to_the_right: bool, colour: &str) {
        let back = if to_the_right { x - 6.0 } else { x + 6.0 };
        let [x, cy, back, top, bottom] = [x, y, back, y - 4.0, y + 4.0].map(fixed);
        self.put(&format!("<path d=\"M{x} {cy}L{back} {top}L{back} {bottom}Z\" fill=\"{colour}\"/>"));
    }

    /// The file, with its title and description for readers who do not see it.
    pub(crate) fn finish(self, title: &str, description: &str) -> String {
        let (width, height, title, description) =
            (fixed(self.width), fixed(self.height), escape(title), escape(description));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"Libertinus Serif, Georgia, serif\">\n"
        );
        let _ = write!(svg, "<title>{title}</title>\n<desc>{description}</desc>\n{}</svg>\n", self.body);
        svg
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// Two decimals, and no minus before a zero, which would be another spelling of the same number.
pub(crate) fn fixed(number: f64) -> String {
    let text = format!("{number:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// Text that XML takes as text. Characters that XML 1.0 has no spelling for become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escape("</svg>&\"'\0\n"), "&lt;/svg&gt;&amp;&quot;&#39;\u{fffd} ");
    }

    #[test]
    fn zero_has_one_spelling() {
        assert_eq!([fixed(-0.001), fixed(0.0), fixed(-0.006), fixed(1.005)], ["0.00", "0.00", "-0.01", "1.00"]);
    }
}
