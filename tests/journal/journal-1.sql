PRAGMA application_id=1986359146;
PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE attempt (
        key TEXT NOT NULL,
        stage TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        state TEXT NOT NULL,
        at REAL NOT NULL,
        sent_at REAL,
        request TEXT,
        facts TEXT NOT NULL,
        outcome TEXT,
        PRIMARY KEY (key, stage, attempt)
    );
INSERT INTO "attempt" VALUES('made','generate',1,'succeeded',1753430412.34354,1753430400.0,'{"action":"text2video","model":"veo3-fast","prompt":"made mug"}','{"action":"text2video","at_once":true,"ended_at":1753430400.0,"task_id":"dcc7817a-0a90-48b2-aead-2bafea5af5a7"}','{"data":[{"complete_at":"2025-07-25T16:00:10+08:00","created_at":"2025-07-25T16:00:00+08:00","id":"8e48a2496c47bce4d363289c6db1f2da","state":"succeeded","video_url":"http://127.0.0.1:1/files/dcc7817a-0a90-48b2-aead-2bafea5af5a7.mp4"}],"success":true,"task_id":"dcc7817a-0a90-48b2-aead-2bafea5af5a7","trace_id":"22ae357c-6bfa-47ff-95ef-c0d0545f0230"}');
INSERT INTO "attempt" VALUES('failed','generate',1,'failed',1753430412.34354,1753430400.0,'{"action":"text2video","model":"veo3-fast","prompt":"failed mug"}','{"action":"text2video","at_once":true,"ended_at":1753430400.01,"offset":0.5,"task_id":"314c4b85-84cd-44cb-94fa-fc00e7815910"}','{"class":"GenerationFailedError","facts":{"code":"api_error","may_have_cost":true,"message":"fetch failed","task_id":"314c4b85-84cd-44cb-94fa-fc00e7815910","trace_id":"a8240147-522f-40e8-8a72-d95b70fc2f60","videos":[]}}');
INSERT INTO "attempt" VALUES('lost','generate',1,'uncertain',1753430400.02,1753430400.01,'{"action":"text2video","model":"veo3-fast","prompt":"lost mug"}','{"action":"text2video","ended_at":1753430400.02,"offset":0.49000000953674316}',NULL);
INSERT INTO "attempt" VALUES('refused','generate',1,'refused',1753430400.03,1753430400.02,'{"action":"text2video","model":"veo3-fast","prompt":"refused mug"}','{"action":"text2video","offset":0.49000000953674316}','{"class":"ContentRefusedError","facts":{"body":{"error":{"code":"content_refused","message":"The content was refused by moderation."},"success":false,"trace_id":"f7e51dff-c740-42e5-8d67-a229eb065fa6"},"code":"content_refused","may_have_cost":false,"message":"The content was refused by moderation.","status_code":403,"task_id":null,"trace_id":"f7e51dff-c740-42e5-8d67-a229eb065fa6"}}');
INSERT INTO "attempt" VALUES('running','generate',1,'accepted',1753430400.0,1753430400.0,'{"action":"text2video","model":"veo3-fast","prompt":"running mug"}','{"action":"text2video","at_once":true,"ended_at":1753430400.0,"task_id":"b13592dd-b4b6-423c-ac72-3aac151d7575"}',NULL);
CREATE INDEX attempt_sent_at ON attempt (sent_at);
COMMIT;
