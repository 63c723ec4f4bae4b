"""
Runs the vectors of the protocol with redis-py, or with its stand-in. Where a vector runs FENCE, the guide's code does.

Arguments: the port of a Redis on this machine, the file of the vectors, the folder of the scripts.
"""
import json
import pathlib
import re
import sys

import redis

from fence import fence


def text(answer):
    if isinstance(answer, bytes):
        return answer.decode()
    if isinstance(answer, list):
        return [text(part) for part in answer]
    return answer


def fits(answer, expected):
    if isinstance(expected, dict) and 'from' in expected:
        return isinstance(answer, int) and expected['from'] <= answer <= expected['to']
    if isinstance(expected, dict):
        return isinstance(answer, str) and re.fullmatch(expected['matches'], answer) is not None
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(fits, answer, expected))
    return answer == expected


def main(port, vectors, folder):
    store = redis.Redis(host='127.0.0.1', port=int(port))

    def now(plus):
        seconds, micros = store.execute_command('TIME')
        return str(int(seconds) * 1000 + int(micros) // 1000 + int(plus or 0))

    def filled_in(word):
        return re.sub(r'<now([+-]\d+)?>', lambda found: now(found.group(1)), word)

    def source(script):
        own = pathlib.Path(folder, script + '.lua').read_text()
        return own if script == 'fence' else pathlib.Path(folder, 'guard.lua').read_text() + '\n' + own

    def run(step):
        if step['run'] == 'fence':
            prefix, user_id, facet = step['keys'][0].split(':')
            assert step['keys'][1] == '{' + step['keys'][0] + '}:guard'
            return 1 if fence(store, user_id, prefix=prefix, facets=(facet,)) else 0
        return store.register_script(source(step['run']))(keys=step['keys'], args=[filled_in(arg) for arg in step['args']])

    cases = [json.loads(line) for line in pathlib.Path(vectors).read_text().splitlines()]
    for case in cases:
        for step in case['steps']:
            answer = text(run(step) if 'run' in step else store.execute_command(*map(filled_in, step['send'])))
            if 'answer' in step and not fits(answer, step['answer']):
                sys.exit('%s: %s was answered with %r' % (case['case'], json.dumps(step), answer))
    print(len(cases), 'cases with', redis.__file__)


main(*sys.argv[1:])
