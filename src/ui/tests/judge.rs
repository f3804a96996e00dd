//! The Judge workspace: two label layers compared, read, clicked and followed.

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use nunatak_app::{ClassEdit, Command};
use nunatak_domain::class::{Class, ClassId, Rgb};
use nunatak_domain::geo::PixelPos;
use nunatak_domain::label::{Gesture, LabelsId, PaintRule, Target};
use nunatak_domain::layer::SceneId;

use super::support::{click, until, with_scene};
use crate::Shell;

fn paint(harness: &mut Harness<'_, Shell>, labels: u64, class: u32, from: [f64; 2], to: [f64; 2]) {
    let [from, to] = [from, to].map(|[col, row]| PixelPos::new(col, row));
    let rule = PaintRule { class: Some(ClassId(class)), onto: Target::Any };
    let gesture = Gesture::Rectangle { from, to };
    harness.state_mut().dispatch(Command::Paint { labels: LabelsId(labels), gesture, rule });
}

/// Truth: 100 px of ice and 200 px of rock; map: all ice on the first 200 of these, then rock.
fn desk() -> Harness<'static, Shell> {
    let mut harness = with_scene();
    for (id, name) in [(1, "Ice"), (2, "Rock"), (3, "Moss")] {
        let class = Class::new(ClassId(id), name, Rgb::distinct(id as usize));
        harness.state_mut().dispatch(Command::EditClasses { edit: ClassEdit::Add { class } });
    }
    for name in ["Truth", "Guess"] {
        harness.state_mut().dispatch(Command::AddLabels { scene: SceneId(1), name: Some(name.to_owned()) });
    }
    paint(&mut harness, 0, 1, [40.0, 40.0], [50.0, 50.0]);
    paint(&mut harness, 0, 2, [50.0, 40.0], [70.0, 50.0]);
    paint(&mut harness, 1, 1, [40.0, 40.0], [60.0, 50.0]);
    paint(&mut harness, 1, 2, [60.0, 40.0], [70.0, 50.0]);
    harness.run_steps(2);
    harness
}

#[test]
fn two_layers_are_compared_and_a_cell_shows_where_they_differ() {
    let mut harness = desk();

    click(&mut harness, "Judge");
    click(&mut harness, "Compare");
    until(&mut harness, "the comparison is there", |shell| shell.session().judgement().is_some());

    // 200 of 300 are right; IoU of ice 100/200, of rock 100/200.
    harness.get_by_label("Overall accuracy 66.7 %");
    harness.get_by_label("Mean IoU 50.0 %");
    harness.get_by_label("Ice: Precision 50.0 %, Recall 100.0 %, F1 66.7 %, IoU 50.0 %");
    click(&mut harness, "Truth Rock, map Ice, 100 pixels");
    until(&mut harness, "the map shows the example", |shell| {
        // The middle of columns 50 to 59 in the first row.
        let geo = shell.session().geo_of(SceneId(1), PixelPos::new(55.5, 40.5)).expect("on the scene");
        let center = shell.map.camera.view().center;
        (center.x - geo.x).hypot(center.y - geo.y) < 1e-3
    });
}

#[test]
fn the_numbers_follow_the_brush() {
    let mut harness = desk();
    click(&mut harness, "Judge");
    click(&mut harness, "Compare");
    until(&mut harness, "the comparison is there", |shell| shell.session().judgement().is_some());

    paint(&mut harness, 1, 2, [50.0, 40.0], [60.0, 50.0]);
    harness.run_steps(1);
    assert!(harness.state().session().judgement_stale());
    harness.run_steps(1);
    harness.get_by_label("Counting anew…");
    until(&mut harness, "it was counted anew", |shell| !shell.session().judgement_stale());

    harness.get_by_label("Overall accuracy 100.0 %");
}
