//! An accuracy assessment as a page and as a table: one file each, nothing to fetch.

use std::fmt::Write;

use nunatak_domain::metrics::Estimate;

use super::accuracy::{Judged, MappedAreas};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:60rem;\
margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
p{margin:.3rem 0;color:#444}table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}th{font-weight:600;color:#444}\
th:first-child,td:first-child{text-align:left}td.hit{background:#e6f2e6;font-weight:600}td.none{color:#bbb}\
.swatch{display:inline-block;width:.8em;height:.8em;margin-right:.45em;border:1px solid #0003;vertical-align:-.05em}\
.scroll{overflow-x:auto}@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}\
tr{break-inside:avoid}td.hit{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

/// A page that stands alone: light, printable.
pub(super) fn html(judged: &Judged) -> String {
    let matrix = &judged.matrix;
    let map = file_name(&judged.map);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\">\n<title>Accuracy of {0}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>Accuracy of {0}</h1>\n<p>Truth: {1}</p>\n<p>{2} pixels with a truth and a mapped \
         class</p>\n",
        escaped(map),
        escaped(file_name(&judged.truth)),
        matrix.total()
    );
    for remark in &judged.remarks {
        push(&mut page, format_args!("<p>{}</p>\n", escaped(remark)));
    }
    let (mean, weighted) = (matrix.macro_average(), matrix.weighted_average());
    page.push_str("<h2>Overall</h2>\n<table>\n");
    for (name, value) in [
        ("Overall accuracy", percent(matrix.overall_accuracy())),
        ("Cohen's kappa", decimal(matrix.kappa())),
        ("Mean F1", percent(mean.f1)),
        ("Mean IoU", percent(mean.iou)),
        ("Frequency-weighted IoU", percent(weighted.iou)),
    ] {
        push(&mut page, format_args!("<tr><td>{name}</td><td>{value}</td></tr>\n"));
    }
    page.push_str("</table>\n");
    if let Some(areas) = &judged.area {
        area_section(&mut page, judged, areas);
    }
    page.push_str(
        "<h2>Classes</h2>\n<div class=\"scroll\"><table>\n<tr><th>Class</th><th>Truth</th><th>Mapped</th>\
         <th>Precision (user's)</th><th>Recall (producer's)</th><th>F1</th><th>IoU</th></tr>\n",
    );
    for class in matrix.per_class() {
        push(
            &mut page,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                swatch(judged, class.class),
                class.support,
                class.mapped,
                percent(class.precision),
                percent(class.recall),
                percent(class.f1),
                percent(class.iou)
            ),
        );
    }
    page.push_str("</table></div>\n");
    matrix_section(&mut page, judged);
    page.push_str("</body>\n</html>\n");
    page
}

fn matrix_section(page: &mut String, judged: &Judged) {
    let matrix = &judged.matrix;
    page.push_str("<h2>Confusion matrix</h2>\n<p>Rows are the truth, columns the map; pixels.</p>\n");
    page.push_str("<div class=\"scroll\"><table>\n<tr><th></th>");
    for &class in matrix.classes() {
        push(page, format_args!("<th>{}</th>", swatch(judged, class)));
    }
    page.push_str("<th>Sum</th></tr>\n");
    for (row, &truth) in matrix.classes().iter().enumerate() {
        push(page, format_args!("<tr><td>{}</td>", swatch(judged, truth)));
        let mut sum = 0;
        for (column, &map) in matrix.classes().iter().enumerate() {
            let n = matrix.count(truth, map);
            sum += n;
            let class = if row == column { " class=\"hit\"" } else { "" };
            let class = if n == 0 && row != column { " class=\"none\"" } else { class };
            push(page, format_args!("<td{class}>{n}</td>"));
        }
        push(page, format_args!("<td>{sum}</td></tr>\n"));
    }
    page.push_str("</table></div>\n");
}

fn area_section(page: &mut String, judged: &Judged, areas: &MappedAreas) {
    let unit = areas.unit;
    push(
        page,
        format_args!(
            "<h2>Area-adjusted</h2>\n<p>Olofsson et al. (2014), ± half the 95 % interval. Overall accuracy {}</p>\n\
             <div class=\"scroll\"><table>\n<tr><th>Class</th><th>Points</th><th>Mapped ({unit})</th>\
             <th>Area ({unit})</th><th>User's accuracy</th><th>Producer's accuracy</th></tr>\n",
            share(Some(&areas.accuracy.overall))
        ),
    );
    for class in &areas.accuracy.classes {
        push(
            page,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{:.2}</td><td>{:.2} ± {:.2}</td><td>{}</td><td>{}</td></tr>\n",
                swatch(judged, class.class),
                class.n_points,
                class.mapped_area,
                class.area.value,
                class.area.half_width_95(),
                share(class.users.as_ref()),
                share(class.producers.as_ref())
            ),
        );
    }
    page.push_str("</table></div>\n");
}

/// The matrix, a blank line, and a row per class; empty cells where there is no number.
pub(super) fn csv(judged: &Judged) -> String {
    let matrix = &judged.matrix;
    let name = |class| quoted(&judged.scheme.name(class));
    let names: Vec<String> = matrix.classes().iter().map(|class| name(*class)).collect();
    let mut text = format!("truth \\ map,{}\n", names.join(","));
    for (row, name) in matrix.counts().chunks_exact(names.len().max(1)).zip(&names) {
        let cells: Vec<String> = row.iter().map(u64::to_string).collect();
        push(&mut text, format_args!("{name},{}\n", cells.join(",")));
    }
    text.push_str("\nclass_id,class,truth_px,mapped_px,precision,recall,f1,iou");
    let area = judged.area.as_ref();
    if let Some(areas) = area {
        let unit = areas.unit;
        push(
            &mut text,
            format_args!(
                ",mapped_{unit},area_{unit},area_{unit}_se,users_accuracy,users_accuracy_se,producers_accuracy,\
                 producers_accuracy_se"
            ),
        );
    }
    text.push('\n');
    let cell = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for (index, class) in matrix.per_class().into_iter().enumerate() {
        let scores = [class.precision, class.recall, class.f1, class.iou].map(cell).join(",");
        let (id, name) = (class.class.0, name(class.class));
        push(&mut text, format_args!("{id},{name},{},{},{scores}", class.support, class.mapped));
        if let Some(areas) = area {
            let class = &areas.accuracy.classes[index];
            let pair = |estimate: Option<&Estimate>| {
                let (value, error) = (estimate.map(|e| e.value), estimate.map(|e| e.standard_error));
                format!("{},{}", cell(value), cell(error))
            };
            let area = pair(Some(&class.area));
            let (users, producers) = (pair(class.users.as_ref()), pair(class.producers.as_ref()));
            push(&mut text, format_args!(",{},{area},{users},{producers}", class.mapped_area));
        }
        text.push('\n');
    }
    text
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a string cannot fail");
}

fn swatch(judged: &Judged, class: nunatak_domain::class::ClassId) -> String {
    let color = judged.scheme.get(class).map(|class| class.color.hex());
    let swatch =
        color.map_or_else(String::new, |color| format!("<span class=\"swatch\" style=\"background:{color}\"></span>"));
    format!("{swatch}{}", escaped(&judged.scheme.name(class)))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.1} %", 100.0 * value))
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"))
}

fn share(estimate: Option<&Estimate>) -> String {
    let text = |e: &Estimate| format!("{:.1} ± {:.1} %", 100.0 * e.value, 100.0 * e.half_width_95());
    estimate.map_or_else(|| "–".to_owned(), text)
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
