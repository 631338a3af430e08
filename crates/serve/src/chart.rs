//! The trend as a picture: absence by week against a published figure, drawn here as SVG, so that it is
//! there without scripts. Nothing is told by colour alone: each line has its own dashes, markers and name.

mod scale;
mod words;

pub use words::{in_words, title};

use std::fmt::Write as _;

use chrono::{Days, NaiveDate};

use crate::page::{Overview, WeekPoint, date, percent};
use scale::{Scale, Slots};

/// The room a picture has; a page holds both and shows the one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A screen or a sheet of paper.
    Wide,
    /// A telephone.
    Narrow,
}

/// The names that stand at the ends of the lines.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The authority.
    pub area: &'a str,
    /// The published figure.
    pub england: &'a str,
}

impl<'a> Names<'a> {
    /// The names on an overview.
    pub fn of(overview: &'a Overview) -> Self {
        let england = overview.benchmark.as_ref().map_or("England", |benchmark| &benchmark.label);
        Names { area: &overview.authority, england }
    }
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($svg:expr, $($what:tt)*) => {{
        let _ = write!($svg, $($what)*);
    }};
}

/// Colours of the Government Analysis Function's palette, which keep their contrast to each other and to
/// white for readers who see colours otherwise.
const AREA: &str = "#12436D";
const ENGLAND: &str = "#F46A25";
const INK: &str = "#0b0c0c";
const QUIET: &str = "#484949";
const RULE: &str = "#cecece";
const HATCH: &str = "#8a8f93";

/// Between the end of the axis and a label.
const LABEL_GAP: f64 = 14.0;

struct Frame {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    font: f64,
    label_width: usize,
    tick_room: f64,
}

impl Frame {
    fn of(shape: Shape, names: Names<'_>) -> Self {
        let frame = match shape {
            Shape::Wide => Frame {
                width: 1040.0,
                height: 400.0,
                left: 54.0,
                right: 0.0,
                top: 48.0,
                bottom: 56.0,
                font: 16.0,
                label_width: 18,
                tick_room: 58.0,
            },
            Shape::Narrow => Frame {
                width: 360.0,
                height: 340.0,
                left: 44.0,
                right: 0.0,
                top: 62.0,
                bottom: 52.0,
                font: 13.0,
                label_width: 12,
                tick_room: 46.0,
            },
        };
        // Room for the longest line of a label, in bold.
        let lines = [names.area, names.england].into_iter().flat_map(|name| wrap(name, frame.label_width));
        let longest = lines.map(|line| line.chars().count()).max().unwrap_or(0).max(6);
        let right = LABEL_GAP + longest as f64 * frame.font * 0.6 + 4.0;
        Frame { right: right.min(frame.width * 0.4), ..frame }
    }

    fn inner_right(&self) -> f64 {
        self.width - self.right
    }

    fn inner_bottom(&self) -> f64 {
        self.height - self.bottom
    }
}

/// The chart of these weeks.
pub fn weeks(points: &[WeekPoint], names: Names<'_>, shape: Shape) -> String {
    let scale = Scale::of(points);
    let frame = match scale {
        Some(_) => Frame::of(shape, names),
        None => Frame { height: 80.0, ..Frame::of(shape, names) },
    };
    let slots = Slots::of(points);
    let mut svg = String::with_capacity(16 * 1024);
    let id = match shape {
        Shape::Wide => "wide",
        Shape::Narrow => "narrow",
    };
    put!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="app-chart app-chart--{id}" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{alternative}" focusable="false" font-family="Arial, Helvetica, sans-serif" font-size="{font}" fill="{INK}">"#,
        w = frame.width,
        h = frame.height,
        font = frame.font,
        alternative = escape(&in_words(points, names)),
    );
    put!(
        svg,
        r##"<defs><pattern id="hatch-{id}" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V8" stroke="{HATCH}" stroke-width="1.5"/></pattern></defs><rect width="{}" height="{}" fill="#ffffff"/>"##,
        frame.width,
        frame.height,
    );
    let Some(scale) = scale else {
        text(&mut svg, 0.0, frame.height / 2.0, "start", INK, "No data for any week yet");
        svg.push_str("</svg>");
        return svg;
    };
    let plot = Plot { frame: &frame, scale: &scale, slots: &slots };
    plot.grid(&mut svg, points, shape);
    plot.unsettled(&mut svg, points, id);
    plot.line(&mut svg, points, &Line { of: |point| point.england, colour: ENGLAND, is_area: false });
    plot.line(&mut svg, points, &Line { of: |point| point.area, colour: AREA, is_area: true });
    plot.labels(&mut svg, points, names);
    plot.tips(&mut svg, points, names);
    svg.push_str("</svg>");
    svg
}

struct Line {
    of: fn(&WeekPoint) -> Option<f64>,
    colour: &'static str,
    is_area: bool,
}

struct Plot<'a> {
    frame: &'a Frame,
    scale: &'a Scale,
    slots: &'a Slots,
}

impl Plot<'_> {
    fn slot_width(&self) -> f64 {
        (self.frame.inner_right() - self.frame.left) / self.slots.count as f64
    }

    fn x(&self, slot: usize) -> f64 {
        self.frame.left + (slot as f64 + 0.5) * self.slot_width()
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.scale.low) / (self.scale.high - self.scale.low);
        self.frame.inner_bottom() - share * (self.frame.inner_bottom() - self.frame.top)
    }

    /// Neither line has a figure there.
    fn is_empty(&self, points: &[WeekPoint], slot: usize) -> bool {
        let mut there = points.iter().zip(&self.slots.of_points).filter(|(_, of_point)| **of_point == slot);
        there.all(|(point, _)| finite(point.area).is_none() && finite(point.england).is_none())
    }

    fn grid(&self, svg: &mut String, points: &[WeekPoint], shape: Shape) {
        let frame = self.frame;
        let heading = frame.font + 2.0;
        text(svg, 0.0, heading, "start", INK, "% of possible sessions missed");
        if self.scale.low > 0.0 {
            let note = format!("Axis starts at {}, not 0%", self.scale.tick(self.scale.low));
            match shape {
                Shape::Wide => text(svg, frame.font * 14.5, heading, "start", QUIET, &note),
                Shape::Narrow => text(svg, 0.0, heading + frame.font * 1.3, "start", QUIET, &note),
            }
        }
        for value in self.scale.ticks() {
            let y = self.y(value);
            let colour = if value == self.scale.low { INK } else { RULE };
            put!(
                svg,
                r#"<path d="M{} {y:.1}H{:.1}" stroke="{colour}" stroke-width="1" fill="none"/>"#,
                frame.left,
                frame.inner_right(),
            );
            text(svg, frame.left - 8.0, y + frame.font * 0.35, "end", QUIET, &self.scale.tick(value));
        }
        let every = (frame.tick_room / self.slot_width()).ceil().max(1.0) as usize;
        for slot in 0..self.slots.count {
            let x = self.x(slot);
            let labelled = slot % every == 0;
            put!(
                svg,
                r#"<path d="M{x:.1} {:.1}v{}" stroke="{INK}" stroke-width="1"/>"#,
                frame.inner_bottom(),
                if labelled { 6 } else { 3 },
            );
            if labelled {
                text(svg, x, frame.inner_bottom() + frame.font * 1.35 + 4.0, "middle", QUIET, &self.slots.label(slot));
            }
        }
        let words = "no data";
        if self.slot_width() > words.len() as f64 * frame.font * 0.52 {
            for slot in (0..self.slots.count).filter(|slot| self.is_empty(points, *slot)) {
                text(svg, self.x(slot), frame.inner_bottom() - frame.font * 0.6, "middle", QUIET, words);
            }
        }
        let middle = f64::midpoint(frame.left, frame.inner_right());
        text(svg, middle, frame.height - 4.0, "middle", QUIET, "Week beginning");
    }

    fn unsettled(&self, svg: &mut String, points: &[WeekPoint], id: &str) {
        let mut bands: Vec<(usize, usize)> = Vec::new();
        for (point, slot) in points.iter().zip(&self.slots.of_points) {
            if is_unsettled(point) {
                match bands.last_mut() {
                    Some(band) if band.1 + 1 >= *slot => band.1 = *slot,
                    _ => bands.push((*slot, *slot)),
                }
            }
        }
        let half = self.slot_width() / 2.0;
        for (from, to) in &bands {
            let (left, right) = (self.x(*from) - half, self.x(*to) + half);
            put!(
                svg,
                r##"<rect x="{left:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="url(#hatch-{id})" stroke="{HATCH}" stroke-width="1"/>"##,
                self.frame.top,
                right - left,
                self.frame.inner_bottom() - self.frame.top,
            );
        }
        if let Some((from, to)) = bands.last() {
            let words = "Not settled yet";
            let room = words.len() as f64 * self.frame.font * 0.52;
            let middle = f64::midpoint(self.x(*from), self.x(*to));
            let most = self.frame.inner_right() - room / 2.0;
            let x = middle.min(most).max(self.frame.left + room / 2.0);
            text(svg, x, self.frame.top - 7.0, "middle", INK, words);
        }
    }

    /// A line breaks where a week has no figure, rather than bridge what nobody knows. Where weeks are
    /// crowded, strokes are thinner, and markers that would hide the dashes between them are left out.
    fn line(&self, svg: &mut String, points: &[WeekPoint], line: &Line) {
        let there: Vec<_> = points
            .iter()
            .zip(&self.slots.of_points)
            .filter_map(|(point, slot)| Some((point, *slot, finite((line.of)(point))?)))
            .collect();
        let mut path = String::new();
        let mut before = None;
        for (_, slot, value) in &there {
            let goes_on = before.is_some_and(|before| before + 1 == *slot);
            put!(path, "{}{:.1} {:.1}", if goes_on { 'L' } else { 'M' }, self.x(*slot), self.y(*value));
            before = Some(*slot);
        }
        if path.is_empty() {
            return;
        }
        let is_crowded = self.slot_width() < 10.0;
        let (width, dashes) = match (line.is_area, is_crowded) {
            (true, crowded) => (if crowded { 2 } else { 3 }, ""),
            (false, false) => (3, r#" stroke-dasharray="9 5""#),
            (false, true) => (2, r#" stroke-dasharray="5 3""#),
        };
        let colour = line.colour;
        put!(
            svg,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"{dashes}/>"#,
        );
        let size = (self.slot_width() / 5.0).clamp(2.0, 5.0);
        for (at, (point, slot, value)) in there.iter().enumerate() {
            let (x, y) = (self.x(*slot), self.y(*value));
            let is_beside = |other: Option<&(&WeekPoint, usize, f64)>| other.is_some_and(|o| o.1.abs_diff(*slot) == 1);
            let stands_alone =
                !is_beside(there.get(at + 1)) && !is_beside(at.checked_sub(1).and_then(|at| there.get(at)));
            if line.is_area {
                let fill = if point.settled { colour } else { "#ffffff" };
                put!(
                    svg,
                    r#"<circle cx="{x:.1}" cy="{y:.1}" r="{size:.1}" fill="{fill}" stroke="{colour}" stroke-width="2"/>"#,
                );
            } else if stands_alone || !is_crowded {
                put!(
                    svg,
                    r#"<path d="M{x:.1} {:.1}l{size:.1} {size:.1}l-{size:.1} {size:.1}l-{size:.1} -{size:.1}z" fill="{colour}" stroke="{colour}"/>"#,
                    y - size,
                );
            }
        }
    }

    /// Each line's name and last figure at its end, moved apart where they would meet.
    fn labels(&self, svg: &mut String, points: &[WeekPoint], names: Names<'_>) {
        let height = self.frame.font * 1.2;
        let mut labels: Vec<Label> = [(names.area, true), (names.england, false)]
            .into_iter()
            .filter_map(|(name, is_area)| {
                let of = |point: &WeekPoint| finite(if is_area { point.area } else { point.england });
                let (point, slot, value) = points
                    .iter()
                    .zip(&self.slots.of_points)
                    .rev()
                    .find_map(|(point, slot)| Some((point, *slot, of(point)?)))?;
                let mut lines: Vec<_> =
                    wrap(name, self.frame.label_width).into_iter().map(|line| (line, is_area)).collect();
                lines.push((percent(Some(value)), true));
                if slot + 1 < self.slots.count {
                    lines.push((self.slots.label(slot), false));
                } else if is_area && is_unsettled(point) {
                    lines.push(("so far".to_owned(), false));
                }
                let at = self.y(value);
                let tall = height * lines.len() as f64;
                Some(Label { lines, from: (self.x(slot), at), top: at - tall / 2.0, tall })
            })
            .collect();
        labels.sort_by(|a, b| a.from.1.total_cmp(&b.from.1));
        let ceiling = self.frame.top - height;
        let floor = self.frame.height - height / 2.0;
        let gap = height * 0.35;
        if let [upper, lower] = labels.as_mut_slice() {
            let overlap = upper.top + upper.tall + gap - lower.top;
            if overlap > 0.0 {
                upper.top -= overlap / 2.0;
                lower.top += overlap / 2.0;
            }
            upper.top = upper.top.max(ceiling);
            lower.top = lower.top.max(upper.top + upper.tall + gap).min(floor - lower.tall);
            upper.top = upper.top.min(lower.top - gap - upper.tall);
        }
        let left = self.frame.inner_right() + LABEL_GAP;
        for label in &labels {
            let middle = label.top + label.tall / 2.0;
            put!(
                svg,
                r#"<path d="M{:.1} {:.1}L{:.1} {:.1}L{:.1} {middle:.1}" fill="none" stroke="{QUIET}" stroke-width="1" stroke-dasharray="1 3"/>"#,
                label.from.0 + 7.0,
                label.from.1,
                self.frame.inner_right(),
                label.from.1,
                left - 3.0,
            );
            for (at, (line, is_bold)) in label.lines.iter().enumerate() {
                let y = label.top + height * (at as f64 + 0.8);
                let weight = if *is_bold { "bold" } else { "normal" };
                put!(svg, r#"<text x="{left:.1}" y="{y:.1}" font-weight="{weight}">{}</text>"#, escape(line),);
            }
        }
    }

    /// What a pointer finds over each week.
    fn tips(&self, svg: &mut String, points: &[WeekPoint], names: Names<'_>) {
        let half = self.slot_width() / 2.0;
        for (point, slot) in points.iter().zip(&self.slots.of_points) {
            put!(
                svg,
                r#"<rect x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" fill="none" pointer-events="all"><title>Week beginning {}: {} {}, {} {}. {} of {} schools, {}.</title></rect>"#,
                self.x(*slot) - half,
                self.frame.top,
                self.slot_width(),
                self.frame.inner_bottom() - self.frame.top,
                escape(&date::day_in_words(&point.week_start)),
                escape(names.area),
                percent(point.area),
                escape(names.england),
                percent(point.england),
                point.schools_received,
                point.schools_expected,
                if point.settled { "settled" } else { "not settled yet" },
            );
        }
    }
}

struct Label {
    /// Words, and whether they are bold.
    lines: Vec<(String, bool)>,
    from: (f64, f64),
    top: f64,
    tall: f64,
}

fn is_unsettled(point: &WeekPoint) -> bool {
    !point.settled && finite(point.area).is_some()
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// Words in lines of about so many letters; a word longer than a line stands alone.
fn wrap(name: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in name.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, colour: &str, words: &str) {
    put!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{colour}">{}</text>"#, escape(words),);
}

fn escape(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Not allowed in XML, however escaped.
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

fn week_after(first: NaiveDate, weeks: usize) -> Option<NaiveDate> {
    first.checked_add_days(Days::new(weeks as u64 * 7))
}

#[cfg(test)]
mod tests;
