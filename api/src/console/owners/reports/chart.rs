//! Charts, drawn here as SVG. Everything in them is a number or escaped by the template, and how they look stands in the style sheet.

use crate::console::words;

/// The size of a chart of days, and the room around it for what is written.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// Marks on lines of more days would run into each other.
const MAX_MARKED: usize = 62;
/// So many days are named under a chart, about.
const LABELS: usize = 7;

/// A text in a chart.
pub(super) struct Label {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) text: String,
}

/// A line across a chart, with the number that it stands for.
pub(super) struct Grid {
    pub(super) y: String,
    pub(super) label: Label,
}

/// One line of a chart. That two differ is seen by the form of line and marks too.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// `one` or `other`.
    pub(super) class: &'static str,
    pub(super) points: String,
    pub(super) marks: Vec<(String, String)>,
}

/// Two numbers a day.
pub(super) struct Days {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) description: String,
    pub(super) left: String,
    pub(super) right: String,
    pub(super) grid: Vec<Grid>,
    pub(super) labels: Vec<Label>,
    pub(super) series: [Series; 2],
}

fn place(number: f64) -> String {
    format!("{number:.1}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is drawn is a few hundred pixels wide"
)]
const fn float(count: u64) -> f64 {
    count as f64
}

/// The least round number that is no less: 1, 2 or 5 with zeros, or twice as much.
fn round_up(most: u64) -> u64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 4, 5, 10] {
            if step * factor >= most {
                return (step * factor).max(2);
            }
        }
        step *= 10;
    }
}

impl Days {
    /// A chart of two numbers for each of these days, of which there is at least one.
    pub(super) fn new(
        id: &'static str,
        title: &'static str,
        names: [&'static str; 2],
        days: &[(String, [u64; 2])],
    ) -> Self {
        let most = days.iter().flat_map(|(_, counts)| counts).max();
        let top = round_up(most.copied().unwrap_or_default());
        let bottom_y = HEIGHT - BOTTOM;
        let y = |count: u64| bottom_y - float(count) / float(top) * (bottom_y - TOP);
        let last = days.len().saturating_sub(1).max(1) as u64;
        let x = |n: usize| {
            if days.len() == 1 {
                f64::midpoint(LEFT, WIDTH - RIGHT)
            } else {
                LEFT + float(n as u64) / float(last) * (WIDTH - RIGHT - LEFT)
            }
        };
        let series = [0, 1].map(|which| {
            let points: Vec<(String, String)> = days
                .iter()
                .enumerate()
                .map(|(n, (_, counts))| (place(x(n)), place(y(counts[which]))))
                .collect();
            let line: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
            Series {
                name: names[which],
                class: ["one", "other"][which],
                points: line.join(" "),
                marks: if days.len() <= MAX_MARKED {
                    points
                } else {
                    vec![]
                },
            }
        });
        let grid = [0, top / 2, top].map(|count| Grid {
            y: place(y(count)),
            label: Label {
                x: place(LEFT - 8.0),
                y: place(y(count) + 4.0),
                text: count.to_string(),
            },
        });
        let every = days.len().div_ceil(LABELS).max(1);
        let labels = days.iter().enumerate().step_by(every);
        let labels = labels.map(|(n, (day, _))| Label {
            x: place(x(n)),
            y: place(HEIGHT - 8.0),
            text: day.clone(),
        });
        let total = |which: usize| days.iter().map(|(_, counts)| counts[which]).sum();
        let largest = |which: usize| {
            let most = days.iter().max_by_key(|(_, counts)| counts[which]);
            most.map_or((0, ""), |(day, counts)| (counts[which], day.as_str()))
        };
        Self {
            id,
            title,
            description: words::chart_of_days(
                names,
                [total(0), total(1)],
                [largest(0), largest(1)],
                days.first().map_or("", |(day, _)| day),
                days.last().map_or("", |(day, _)| day),
            ),
            left: place(LEFT),
            right: place(WIDTH - RIGHT),
            grid: grid.into(),
            labels: labels.collect(),
            series,
        }
    }
}

/// The height of a bar with its room.
const ROW: f64 = 30.0;
/// Where bars begin and end.
const BAR_LEFT: f64 = 200.0;
const BAR_RIGHT: f64 = 500.0;
/// Names are cut to so many characters; the table has them whole.
const NAME_CHARS: usize = 26;

/// A bar for a median, and a line from it to the 90th percentile.
pub(super) struct Bar {
    pub(super) name: Label,
    pub(super) value: Label,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) line_y: String,
    pub(super) line_from: String,
    pub(super) line_to: String,
    pub(super) tick_top: String,
    pub(super) tick_bottom: String,
}

/// Bars under each other.
pub(super) struct Bars {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) description: String,
    pub(super) height: String,
    pub(super) left: String,
    pub(super) rows: Vec<Bar>,
}

impl Bars {
    /// A chart of names, each with its median and 90th percentile in seconds.
    pub(super) fn new(id: &'static str, title: &'static str, times: &[(String, f64, f64)]) -> Self {
        let most = times.iter().map(|(_, _, p90)| *p90).fold(1.0, f64::max);
        let x = |seconds: f64| BAR_LEFT + seconds / most * (BAR_RIGHT - BAR_LEFT);
        let bars = times.iter().enumerate().map(|(n, (name, median, p90))| {
            let top = ROW * float(n as u64);
            let middle = top + ROW / 2.0;
            let is_long = name.chars().count() > NAME_CHARS;
            let mut short: String = name.chars().take(NAME_CHARS).collect();
            if is_long {
                short.push('…');
            }
            let told = words::median_and_p90(&words::duration(*median), &words::duration(*p90));
            Bar {
                name: Label {
                    x: place(BAR_LEFT - 10.0),
                    y: place(middle + 4.0),
                    text: short,
                },
                value: Label {
                    x: place(x(*p90) + 10.0),
                    y: place(middle + 4.0),
                    text: told,
                },
                y: place(top + 6.0),
                width: place((x(*median) - BAR_LEFT).max(1.0)),
                line_y: place(middle),
                line_from: place(x(*median)),
                line_to: place(x(*p90)),
                tick_top: place(middle - 5.0),
                tick_bottom: place(middle + 5.0),
            }
        });
        Self {
            id,
            title,
            description: words::chart_of_times(times.len()),
            height: place(ROW * float(times.len() as u64) + 4.0),
            left: place(BAR_LEFT),
            rows: bars.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(counts: &[[u64; 2]]) -> Days {
        let days: Vec<_> = counts
            .iter()
            .enumerate()
            .map(|(n, counts)| (format!("2026-03-{:02}", n + 1), *counts))
            .collect();
        Days::new("x", "Title", ["In", "Out"], &days)
    }

    #[test]
    fn a_chart_is_as_high_as_its_largest_day() {
        let chart = days(&[[0, 5], [10, 0]]);
        // The whole height for ten, half of it for five, and the ground for nothing.
        assert_eq!(chart.series[0].points, "46.0,194.0 706.0,12.0");
        assert_eq!(chart.series[1].points, "46.0,103.0 706.0,194.0");
        let ticks: Vec<_> = chart.grid.iter().map(|grid| &grid.label.text).collect();
        assert_eq!(ticks, ["0", "5", "10"]);
        assert_eq!(
            chart.description,
            "From 2026-03-01 to 2026-03-02: 10 in, at most 10 on 2026-03-02; 5 out, at most 5 on 2026-03-01. \
             The table below has every day."
        );
    }

    #[test]
    fn days_without_anything_and_single_days_can_be_drawn() {
        let chart = days(&[[0, 0]]);
        assert_eq!(chart.series[0].points, "376.0,194.0");
        assert!(!chart.description.contains("at most"));
        let long = days(&[[1, 2]; 366]);
        assert!(long.series[0].marks.is_empty());
        assert!(long.labels.len() <= LABELS);
    }

    #[test]
    fn bars_reach_from_nothing_to_the_longest_time() {
        let times = [("One".to_owned(), 50.0, 100.0), ("x".repeat(40), 0.0, 0.0)];
        let chart = Bars::new("x", "Title", &times);
        assert_eq!(chart.rows[0].width, "150.0");
        assert_eq!(chart.rows[0].line_to, "500.0");
        assert_eq!(chart.rows[1].width, "1.0");
        assert_eq!(chart.rows[1].name.text.chars().count(), NAME_CHARS + 1);
    }

    #[test]
    fn scales_end_at_round_numbers() {
        let rounded = [0, 1, 3, 7, 11, 42, 99, 101].map(round_up);
        assert_eq!(rounded, [2, 2, 4, 10, 20, 50, 100, 200]);
    }
}
