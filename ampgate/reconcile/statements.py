"""What DuckDB is asked (comparison.py tells the idea).

Each thread holds two lines of the greatest size: of an export 16 MB, as of what we send.
"""

TABLES = """
create table sent (
    id hugeint, device ubigint, who ubigint, type varchar, happened bigint, accepted bigint,
    topic utinyint, part integer, place bigint, settled boolean, suppressed boolean,
    bucket utinyint);
create table traces (
    topic utinyint, part integer, place bigint, replayed varchar, state varchar);
create table rows (
    id hugeint, device ubigint, who ubigint, type varchar, uploaded bigint, bucket utinyint);
create table delivered (
    id hugeint, device ubigint, who ubigint, type varchar, happened bigint, accepted bigint,
    topic utinyint, part integer, place bigint, asked boolean, suppressed boolean,
    bucket utinyint);
create table verdicts (
    type varchar, accepted bigint, topic utinyint, part integer, place bigint, state varchar);
create table surplus (type varchar, state varchar, events bigint);
create macro bucket_of(id) as (id % 64)::utinyint;
create macro id_of(text) as (md5_number(text) >> 1)::hugeint;
"""
READ_SENT = """
insert into sent
select id_of(insert_id), hash(device_id), hash(coalesce(device_id, 'user ' || user_id)), event_type,
    time, accepted, topic, partition, "offset", settled, coalesce(suppressed, false),
    bucket_of(id_of(insert_id))
from read_json($file, format = 'newline_delimited', maximum_object_size = 4000000,
    columns = {
    insert_id: 'varchar', event_type: 'varchar', device_id: 'varchar', user_id: 'varchar',
    time: 'bigint', accepted: 'bigint', topic: 'utinyint', partition: 'integer',
    "offset": 'bigint', settled: 'boolean', suppressed: 'boolean'})
"""
READ_TRACES = """
insert into traces
select * from read_json($file, format = 'newline_delimited', columns = {
    topic: 'utinyint', partition: 'integer', "offset": 'bigint', replayed: 'varchar',
    state: 'varchar'})
"""
READ_ROWS = """
insert into rows
select id_of(nullif("$insert_id", '')), hash(device_id), hash('user ' || user_id), event_type,
    epoch_ms(server_upload_time::timestamp), bucket_of(id_of(nullif("$insert_id", '')))
from read_json($files, format = 'newline_delimited', compression = 'gzip',
    maximum_object_size = 16000000, columns = {
    "$insert_id": 'varchar', device_id: 'varchar', user_id: 'varchar', event_type: 'varchar',
    server_upload_time: 'varchar'})
"""
# As `whereabouts` judges: the letters of a record's last replay count.
DELIVERED = """
insert into delivered
with last as (select topic, part, place, max(replayed) replayed from traces group by all),
judged as (
    select topic, part, place, bool_or(state = 'dead') dead, bool_or(state = 'waiting') waiting,
        bool_or(state = 'settled') arrived
    from traces join last using (topic, part, place, replayed) group by all)
select id, device, who, type, happened, accepted, topic, part, place,
    accepted >= $from_ms and accepted < $to_ms, suppressed, bucket
from sent left join judged using (topic, part, place)
where not coalesce(dead or waiting, false) and (settled or coalesce(arrived, false))
"""
# Of some buckets: `s` are events that were sent, `r` are events that Amplitude has.
SOME = (
    """
    create or replace temp table s as
    select id, who, any_value(type) type, min(accepted) accepted, bool_or(asked) asked,
        bool_or(suppressed) suppressed, count(*) records,
        arg_min(topic, accepted) topic, arg_min(part, accepted) part,
        arg_min(place, accepted) place, count(*) over (partition by id) = 1 is_alone
    from delivered where bucket between $first and $last group by id, who
    """,
    """
    create or replace temp table r as
    select id, device, any_value(who) who, any_value(type) type, min(uploaded) uploaded,
        count(*) copies
    from rows where bucket between $first and $last and id is not null group by id, device
    """,
    # Who is compared only where it decides: Amplitude may have cut a long device_id.
    """
    create or replace temp table pairs as
    select s.id, s.who, s.asked, r.device, r.uploaded, r.type, r.copies,
        coalesce(r.device = s.who, false) or coalesce(r.who = s.who, false) is_exact
    from s join r using (id)
    qualify is_exact
        or (is_alone and row_number() over (partition by id order by is_exact desc) = 1)
    """,
    """
    insert into verdicts
    with found as (select id, who, min(uploaded) uploaded from pairs group by all)
    select type, accepted, topic, part, place,
        case when uploaded >= accepted + 3600000 then 'late' when uploaded is not null then 'found'
            when type in ('$identify', '$groupidentify') then 'not_exported' else 'missing' end
    from s left join found using (id, who)
    where asked and (uploaded is not null or not suppressed)
    """,
    """
    insert into surplus
    select type, 'repeated', sum(records - 1) from s where asked and records > 1 group by type
    union all
    select type, 'counted_twice', sum(copies - 1) from (
        select distinct id, device, type, copies from pairs where asked and copies > 1)
    group by type
    union all
    select type, 'foreign', count(*) from r anti join pairs using (id, device)
    where uploaded >= $from_ms and uploaded < $to_ms group by type
    """,
)
NAMELESS = """
insert into surplus select type, 'foreign', count(*) from rows
where id is null and uploaded >= $from_ms and uploaded < $to_ms group by type
"""
RESULT = """
with judged as (
    select unnest($complete) as hour union select distinct uploaded // 3600000 from rows),
counted as (
    select type, case when state = 'missing' and accepted // 3600000 not in (from judged)
        then 'pending' else state end state, count(*) events
    from verdicts group by all
    union all select type, state, events from surplus)
select type,
    coalesce(sum(events) filter (state in
        ('found', 'late', 'missing', 'pending', 'not_exported')), 0)::bigint,
    coalesce(sum(events) filter (state in ('found', 'late')), 0)::bigint,
    coalesce(sum(events) filter (state = 'missing'), 0)::bigint,
    coalesce(sum(events) filter (state = 'foreign'), 0)::bigint,
    coalesce(sum(events) filter (state = 'counted_twice'), 0)::bigint,
    coalesce(sum(events) filter (state = 'late'), 0)::bigint,
    coalesce(sum(events) filter (state = 'pending'), 0)::bigint,
    coalesce(sum(events) filter (state = 'not_exported'), 0)::bigint,
    coalesce(sum(events) filter (state = 'repeated'), 0)::bigint
from counted group by type order by type
"""
MISSING = """
select topic, part, place from verdicts
where state = 'missing' and (accepted // 3600000 in (select unnest($complete))
    or accepted // 3600000 in (select uploaded // 3600000 from rows))
order by topic, part, place
"""
EMPTY = """
select count(distinct accepted // 3600000) from verdicts
where state in ('missing', 'late') and accepted // 3600000 in (select unnest($complete))
    and accepted // 3600000 not in (select uploaded // 3600000 from rows)
"""
BY_DAY = """
select type, strftime(epoch_ms(time), '%Y-%m-%d'), count(*) from (
    select distinct id, who, type, coalesce(happened, accepted) as time from delivered
    where not suppressed)
where time >= $first and time < $last and type not in ('$identify', '$groupidentify') group by all
"""
