-- Of the failed jobs those that try again by themselves are few: who looks for them every three seconds
-- does not look at each.

CREATE INDEX job_recovering ON job (id)
    WHERE state = 'failed' AND
          (spec -> 'auto_recovery' -> 'enabled' = 'true' OR retry_state ->> 'kind' = 'recovery');
