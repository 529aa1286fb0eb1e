-- Charts: numbers of a job second by second for an hour, by ten seconds for a day, by the minute
-- for 31 days.

CREATE TABLE series (
    job    text NOT NULL REFERENCES job ON DELETE CASCADE,
    step   int NOT NULL CHECK (step IN (1, 10, 60)),
    bucket timestamptz NOT NULL,
    points int8[] NOT NULL,
    PRIMARY KEY (job, step, bucket)
);
CREATE INDEX series_by_time ON series (step, bucket);
COMMENT ON TABLE series IS 'Numbers of jobs for charts, sixty moments a row';
COMMENT ON COLUMN series.job IS 'Whose';
COMMENT ON COLUMN series.step IS 'Seconds from one moment to the next';
COMMENT ON COLUMN series.bucket IS 'The first moment; a multiple of sixty steps since 1970';
COMMENT ON COLUMN series.points IS 'Sixty numbers of the first row of sql/series.def, sixty of the second, …; null = not known';

DROP TABLE sample;
