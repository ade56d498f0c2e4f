//! How many cases have each label.

use std::collections::HashMap;

use docket_domain::ids::SurveyId;
use docket_domain::label::Label;
use docket_projections::DatabaseError;
use docket_projections::read::labels;

use crate::app::App;
use crate::console::place::with_query;

pub(super) struct Row {
    pub(super) name: String,
    pub(super) colour: &'static str,
    pub(super) open: u64,
    pub(super) closed: u64,
    /// The list of the cases.
    pub(super) list: String,
}

/// Every label, with how many cases of the survey, or of all, have it today.
pub(super) async fn rows(app: &App, survey: Option<SurveyId>) -> Result<Vec<Row>, DatabaseError> {
    let surveys = survey.map(|survey_id| vec![survey_id.0]);
    let counts = labels::counts(&app.pool, surveys.as_deref()).await?;
    let counts: HashMap<_, _> = counts
        .into_iter()
        .map(|count| (count.label_id, count))
        .collect();
    let rows = labels::all(&app.pool).await?.into_iter().map(|row| {
        let Label {
            label_id,
            name,
            colour,
        } = row.label;
        let count = counts.get(&label_id);
        let (label, survey) = (label_id.to_string(), survey.map(|id| id.to_string()));
        let mut pairs = vec![("view", "all"), ("label", label.as_str())];
        pairs.extend(survey.as_deref().map(|survey| ("survey", survey)));
        Row {
            name,
            colour: colour.as_str(),
            open: count.map_or(0, |count| count.open),
            closed: count.map_or(0, |count| count.closed),
            list: with_query("/", &pairs),
        }
    });
    Ok(rows.collect())
}
