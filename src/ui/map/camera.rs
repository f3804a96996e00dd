//! The camera of the map: where it looks, gliding from one view to the next, and the views
//! it came from. Time comes in as an argument.

use nunatak_domain::geo::{GeoBounds, GeoPos};
use nunatak_domain::map::{MapView, ScreenPos};

/// How long a step of the keyboard or a fit glides.
const GLIDE_SECS: f64 = 0.16;
/// A view that stays this long becomes one of the history.
const SETTLED_SECS: f64 = 0.5;
const MAX_HISTORY: usize = 100;
/// Around what is fitted.
const MARGIN: f64 = 0.04;

/// A view without the size of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    center: GeoPos,
    units_per_px: f64,
}

struct Glide {
    from: Place,
    to: Place,
    begin: f64,
}

pub(crate) struct Camera {
    view: MapView,
    glide: Option<Glide>,
    history: Vec<Place>,
    at: usize,
    moved_at: f64,
    /// Nothing has been shown yet: the first layer is fitted.
    pub fresh: bool,
}

impl Default for Camera {
    fn default() -> Self {
        let view = MapView { center: GeoPos::new(0.0, 0.0), units_per_px: 1.0, width_px: 1, height_px: 1 };
        Self { view, glide: None, history: Vec::new(), at: 0, moved_at: 0.0, fresh: true }
    }
}

impl Camera {
    pub(crate) const fn view(&self) -> &MapView {
        &self.view
    }

    pub(crate) const fn resize(&mut self, width_px: u32, height_px: u32) {
        self.view.width_px = width_px;
        self.view.height_px = height_px;
    }

    /// Takes one step of a glide; `true` while it goes on.
    pub(crate) fn advance(&mut self, now: f64) -> bool {
        let Some(glide) = &self.glide else {
            self.remember(now);
            return self.unsettled();
        };
        let t = ((now - glide.begin) / GLIDE_SECS).clamp(0.0, 1.0);
        let place = between(glide.from, glide.to, 1.0 - (1.0 - t).powi(3));
        if t >= 1.0 {
            self.glide = None;
        }
        self.set(place, now);
        true
    }

    /// The map follows the hand by `dx`, `dy` screen pixels.
    pub(crate) fn pan(&mut self, dx: f64, dy: f64, now: f64) {
        self.glide = None;
        self.view = self.view.panned(dx, dy);
        self.moved_at = now;
    }

    /// Zooms at once (wheel, pinch): the input is smooth already.
    pub(crate) fn zoom(&mut self, factor: f64, anchor: ScreenPos, now: f64) {
        self.glide = None;
        self.view = self.view.zoomed(factor, anchor);
        self.moved_at = now;
    }

    /// Glides by a step of the keyboard.
    pub(crate) fn glide_pan(&mut self, dx: f64, dy: f64, now: f64) {
        let start = self.goal();
        let to = self.with(start).panned(dx, dy);
        self.glide_to(Place { center: to.center, units_per_px: to.units_per_px }, now);
    }

    pub(crate) fn glide_zoom(&mut self, factor: f64, anchor: Option<ScreenPos>, now: f64) {
        let view = self.with(self.goal());
        let middle = ScreenPos { x: 0.5 * f64::from(view.width_px), y: 0.5 * f64::from(view.height_px) };
        let to = view.zoomed(factor, anchor.unwrap_or(middle));
        self.glide_to(Place { center: to.center, units_per_px: to.units_per_px }, now);
    }

    pub(crate) fn glide_fit(&mut self, bounds: GeoBounds, now: f64) {
        let to = MapView::fitting(bounds, self.view.width_px, self.view.height_px, MARGIN);
        self.glide_to(Place { center: to.center, units_per_px: to.units_per_px }, now);
    }

    /// Fits without gliding: the first layer.
    pub(crate) fn fit(&mut self, bounds: GeoBounds, now: f64) {
        let to = MapView::fitting(bounds, self.view.width_px, self.view.height_px, MARGIN);
        self.glide = None;
        self.history.clear();
        self.fresh = false;
        self.set(Place { center: to.center, units_per_px: to.units_per_px }, now - SETTLED_SECS);
        self.remember(now);
    }

    /// Where a project was left.
    pub(crate) fn look_at(&mut self, center: GeoPos, units_per_px: f64, now: f64) {
        if units_per_px > 0.0 && units_per_px.is_finite() && center.x.is_finite() && center.y.is_finite() {
            self.glide = None;
            self.fresh = false;
            self.set(Place { center, units_per_px }, now);
        }
    }

    /// The same scale around another centre.
    pub(crate) fn glide_to_center(&mut self, center: GeoPos, now: f64) {
        self.glide_to(Place { center, units_per_px: self.view.units_per_px }, now);
    }

    /// The same centre with another scale.
    pub(crate) fn set_scale(&mut self, units_per_px: f64, now: f64) {
        if units_per_px > 0.0 && units_per_px.is_finite() {
            self.glide_to(Place { center: self.view.center, units_per_px }, now);
        }
    }

    pub(crate) const fn can_go_back(&self) -> bool {
        self.at > 0
    }

    pub(crate) const fn can_go_forward(&self) -> bool {
        self.at + 1 < self.history.len()
    }

    pub(crate) fn back(&mut self, now: f64) {
        if self.can_go_back() {
            self.at -= 1;
            self.glide_to(self.history[self.at], now);
        }
    }

    pub(crate) fn forward(&mut self, now: f64) {
        if self.can_go_forward() {
            self.at += 1;
            self.glide_to(self.history[self.at], now);
        }
    }

    fn place(&self) -> Place {
        Place { center: self.view.center, units_per_px: self.view.units_per_px }
    }

    /// Where a glide ends, or where the camera is.
    fn goal(&self) -> Place {
        self.glide.as_ref().map_or_else(|| self.place(), |glide| glide.to)
    }

    const fn with(&self, place: Place) -> MapView {
        MapView { center: place.center, units_per_px: place.units_per_px, ..self.view }
    }

    fn glide_to(&mut self, to: Place, now: f64) {
        if to != self.goal() {
            self.glide = Some(Glide { from: self.place(), to, begin: now });
        }
    }

    const fn set(&mut self, place: Place, now: f64) {
        self.view.center = place.center;
        self.view.units_per_px = place.units_per_px;
        self.moved_at = now;
    }

    fn unsettled(&self) -> bool {
        !self.fresh && !self.known()
    }

    fn known(&self) -> bool {
        self.history.get(self.at).is_some_and(|last| same(last, &self.place()))
    }

    fn remember(&mut self, now: f64) {
        if self.fresh || self.known() || now - self.moved_at < SETTLED_SECS {
            return;
        }
        self.history.truncate(self.at + 1);
        self.history.push(self.place());
        if self.history.len() > MAX_HISTORY {
            self.history.remove(0);
        }
        self.at = self.history.len() - 1;
    }
}

/// Linear in scale, and the centre moves with the scale: what both views show at one
/// screen position stays there.
fn between(from: Place, to: Place, t: f64) -> Place {
    let units_per_px = from.units_per_px + (to.units_per_px - from.units_per_px) * t;
    let center = GeoPos {
        x: from.center.x + (to.center.x - from.center.x) * t,
        y: from.center.y + (to.center.y - from.center.y) * t,
    };
    Place { center, units_per_px }
}

/// Closer than a hundredth of a pixel.
fn same(a: &Place, b: &Place) -> bool {
    let limit = 0.01 * a.units_per_px;
    (a.center.x - b.center.x).abs() < limit
        && (a.center.y - b.center.y).abs() < limit
        && (a.units_per_px / b.units_per_px - 1.0).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        let mut camera = Camera::default();
        camera.resize(400, 300);
        camera.fit(GeoBounds { min_x: 0.0, min_y: 0.0, max_x: 400.0, max_y: 300.0 }, 0.0);
        camera
    }

    fn settle(camera: &mut Camera, now: &mut f64) {
        while camera.advance(*now) {
            *now += 0.02;
        }
    }

    #[test]
    fn views_that_settled_can_be_gone_back_to() {
        let mut camera = camera();
        let mut now = 1.0;
        let first = camera.place();
        camera.pan(100.0, 0.0, now);
        settle(&mut camera, &mut now);
        let second = camera.place();

        camera.back(now);
        settle(&mut camera, &mut now);
        assert!(same(&camera.place(), &first));
        assert!(!camera.can_go_back());

        camera.forward(now);
        settle(&mut camera, &mut now);
        assert!(same(&camera.place(), &second));
    }

    #[test]
    fn a_gliding_zoom_keeps_the_place_under_the_cursor() {
        let mut camera = camera();
        let cursor = ScreenPos { x: 30.0, y: 40.0 };
        let before = camera.view().geo_from_screen(cursor);
        camera.glide_zoom(2.0, Some(cursor), 1.0);

        for step in 0..=20 {
            camera.advance(1.0 + f64::from(step) * 0.01);
            let after = camera.view().geo_from_screen(cursor);
            assert!((before.x - after.x).abs() < 1e-6 && (before.y - after.y).abs() < 1e-6);
        }
    }

    #[test]
    fn two_quick_steps_add_up() {
        let mut camera = camera();
        let scale = camera.view().units_per_px;
        camera.glide_zoom(2.0, None, 1.0);
        camera.glide_zoom(2.0, None, 1.05);
        let mut now = 1.1;
        settle(&mut camera, &mut now);

        assert!((camera.view().units_per_px * 4.0 / scale - 1.0).abs() < 1e-9);
    }
}
