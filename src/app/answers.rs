//! Layers that are computed from a scene's pixels by the tile workers: spectral indices, and
//! class maps by the session's references. They cost no disk and follow at once.

use nunatak_domain::index::Expression;
use nunatak_domain::job::ClassifyMethod;
use nunatak_domain::raster::Raster;
use nunatak_domain::scene::SceneInfo;
use nunatak_domain::spectra::{ClassStatistics, Classifier, ReferenceSet, SpectralReference};

use nunatak_domain::model::Normalisation;

/// Band of a class map, and of what the class was chosen by.
pub(crate) const CLASS_BAND: usize = 0;

/// What makes a tile of pixels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Computed {
    /// Scene bands that it reads.
    pub(crate) bands: Vec<usize>,
    by: By,
}

#[derive(Clone, Debug, PartialEq)]
enum By {
    Index(Expression),
    Classes(Box<Classifier>),
}

impl Computed {
    pub(crate) fn index(expression: Expression) -> Self {
        Self { bands: expression.bands().to_vec(), by: By::Index(expression) }
    }

    /// # Errors
    /// One sentence: the references do not fit the scene, or the method needs other ones.
    pub(crate) fn classes(
        method: ClassifyMethod,
        set: &ReferenceSet,
        info: &SceneInfo,
        normalisation: impl Fn(&[usize]) -> Normalisation,
    ) -> Result<Self, String> {
        let bands =
            set.bands_in(info).ok_or_else(|| format!("the references have other bands than {}", info.name()))?;
        let spectra: Vec<&[f64]> = set.enabled().map(|reference| reference.spectrum.as_slice()).collect();
        let classifier = match method {
            ClassifyMethod::Sam => Classifier::spectral_angle(&spectra, None),
            ClassifyMethod::MinDistance => Classifier::minimum_distance(&spectra, None),
            ClassifyMethod::Mahalanobis | ClassifyMethod::MaxLikelihood => {
                let statistics = set.enabled().map(pixels_of).collect::<Result<Vec<_>, _>>()?;
                let statistics: Vec<&ClassStatistics> = statistics.iter().collect();
                if method == ClassifyMethod::Mahalanobis {
                    Classifier::mahalanobis(&statistics, None)
                } else {
                    Classifier::maximum_likelihood(&statistics, None)
                }
            }
            ClassifyMethod::SfCnm => return Err("the SF-CNM prior is a layer of its own".to_owned()),
        };
        let mut classifier = classifier.map_err(|error| error.to_string())?;
        if let Normalisation::ScaleOffset { scale, offset } = normalisation(&bands) {
            let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
            classifier = classifier.with_normalisation(&double(&scale), &double(&offset));
        }
        Ok(Self { bands, by: By::Classes(Box::new(classifier)) })
    }

    /// `pixels` holds the scene bands `held`, as stored. A tile of 256² pixels takes about
    /// 1 ms for an index and 5 to 50 ms for classes.
    ///
    /// # Panics
    /// If a band that it reads is not held.
    pub(crate) fn of_pixels(&self, held: &[usize], pixels: &Raster) -> Raster {
        let place = |band: &usize| held.iter().position(|other| other == band).expect("the tile was read for these");
        let bands: Vec<&[f32]> = self.bands.iter().map(|band| pixels.band(place(band))).collect();
        let n = pixels.n_px();
        let (width, height) = (pixels.width, pixels.height);
        match &self.by {
            By::Index(expression) => {
                let mut values = vec![0.0; n];
                expression.evaluate(&bands, &mut values);
                Raster::new(1, width, height, values)
            }
            By::Classes(classifier) => {
                let (mut classes, mut score) = (vec![0_u16; n], vec![0.0; n]);
                classifier.classify_into(&bands, &mut classes, &mut score);
                let classes = classes.into_iter().map(|id| if id == 0 { f32::NAN } else { f32::from(id) });
                Raster::new(2, width, height, classes.chain(score).collect())
            }
        }
    }

    /// Of one pixel, given as all stored values of the scene.
    pub(crate) fn of_pixel(&self, stored: &[Option<f64>]) -> Vec<Option<f64>> {
        let value = |&band: &usize| stored.get(band).copied().flatten().map_or(f32::NAN, |value| value as f32);
        let pixel = Raster::new(self.bands.len(), 1, 1, self.bands.iter().map(value).collect());
        let found = self.of_pixels(&self.bands, &pixel);
        found.data.iter().map(|value| Some(f64::from(*value)).filter(|value| value.is_finite())).collect()
    }
}

/// # Errors
/// It was not painted, or on bands whose covariance is not kept.
fn pixels_of(reference: &SpectralReference) -> Result<ClassStatistics, String> {
    let sample = reference.sample.as_ref().filter(|sample| !sample.covariance.is_empty());
    let found = sample
        .and_then(|sample| ClassStatistics::from_moments(sample.n, reference.spectrum.clone(), &sample.covariance));
    found.ok_or_else(|| format!("{} has no painted pixels, which this method needs: paint some", reference.name))
}
