"""What schemathesis checks besides its own: a request that the document allows is taken.

Its own check of that (`positive_data_acceptance`) refuses every 400 and 422. Some of them no schema can tell beforehand: what an
id names, whether an idempotency key was used, which parameters of a query go together. Those, and no others, are listed here, by the
problem's type and the beginning of its detail. Any other refusal is a mistake of the document or of the code.
"""

import schemathesis

# What an answer may say to a request that the document allows, beside 2xx, 401, 403, 404, 409 and 5xx.
NO_SCHEMA_TELLS = [
    # A key is of one request for good.
    ("idempotency-key-reused", ""),
    # Parameters of a query that rule each other out: a schema tells of one alone.
    ("invalid-query", "give at or as_of, not both"),
    ("invalid-query", "order=reference does not go with"),
    ("invalid-query", "order=waiting does not go with"),
    # Whether a cursor is of this order, and whether there ever was such a page.
    ("invalid-cursor", ""),
    # What an id, an address or a name in a body stands for.
    ("invalid-value", "line_id names no line"),
    ("invalid-value", "media_id names no file"),
    # A form's schema does not tell what its encoding does to the order and the names of its parts.
    ("invalid-value", "the form must hold the file"),
    ("invalid-value", "survey_id names no survey"),
    ("invalid-value", "surveys names a survey that does not exist"),
    ("invalid-value", "email must be the address of"),
    ("invalid-value", "email is an auditor's"),
    ("invalid-value", "a service account has no password"),
    ("invalid-value", "a service account keeps the name"),
    ("invalid-value", "line_id names no WhatsApp line"),
    ("invalid-value", "template.name and template.locale name no template"),
    ("invalid-value", "template.parameters do not fit"),
    ("invalid-value", "the message goes out by SMS"),
    ("invalid-value", "time_zone must be"),
    # Which numbers stand in the places of a template.
    ("invalid-value", "body must number its parameters"),
    # Whether a number is one of its country.
    ("invalid-value", "the number "),
    # What a name of a label stands for, and whether a time lies ahead.
    ("unknown-label", ""),
    ("invalid-value", "until must lie in the future"),
    # One field of which another one, or another item, is a part.
    ("invalid-value", "status.closed_value must be one of status.choices"),
    ("invalid-value", "templates must not repeat a name"),
    # Two that differ in white space or case alone are equal to a person, and not to a schema.
    ("invalid-value", "status.choices must not repeat an answer"),
]


@schemathesis.check
def takes_what_the_document_allows(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 422):
        return
    problem = response.json()
    for slug, beginning in NO_SCHEMA_TELLS:
        if problem["type"] == f"/problems/{slug}" and problem["detail"].startswith(beginning):
            return
    raise AssertionError(f"the document allows it, and it was refused: {problem['detail']}")
