-- Jobs are found by the addresses of their ends: a worker asks which others are there before each
-- precheck and look, and does nothing else meanwhile.

CREATE INDEX job_by_source_end ON job (kf_end(spec -> 'source'));
CREATE INDEX job_by_destination_end ON job (kf_end(spec -> 'destination'));
