-- Failed jobs that try again by themselves, and retry times that jobs share.

CREATE INDEX job_failed ON job (id) WHERE state = 'failed';
CREATE INDEX job_sharing_retry ON job (account) WHERE spec -> 'retry' ->> 'scope' = 'shared';

COMMENT ON COLUMN job.retry_state IS '{kind, target, attempt, next_attempt_at, deadline_at, error} while it retries; of the kind recovery while it is failed and tries again by itself';
