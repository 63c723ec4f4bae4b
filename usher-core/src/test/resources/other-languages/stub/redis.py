"""
The part of redis-py that the guide's code uses, for machines without redis-py: the same names, signatures and answers.
"""
import hashlib
import socket


class RedisError(Exception):
    pass


class ConnectionError(RedisError):
    pass


class ResponseError(RedisError):
    pass


class NoScriptError(ResponseError):
    pass


class Redis(object):
    def __init__(self, host='localhost', port=6379):
        self.address = (host, port)
        self.stream = None

    def execute_command(self, *args):
        try:
            if self.stream is None:
                self.stream = socket.create_connection(self.address, 10).makefile('rwb')
            parts = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
            self.stream.write(b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(part), part) for part in parts))
            self.stream.flush()
            return self._answer()
        except OSError as e:
            self.stream = None
            raise ConnectionError(str(e)) from e

    def _answer(self):
        line = self.stream.readline()
        if not line.endswith(b'\r\n'):
            raise ConnectionResetError('the connection was closed')
        kind, rest = line[:1], line[1:-2]
        if kind == b'-':
            text = rest.decode()
            raise NoScriptError(text) if text.startswith('NOSCRIPT') else ResponseError(text)
        if kind == b':':
            return int(rest)
        if kind == b'$':
            if rest == b'-1':
                return None
            value = self.stream.read(int(rest) + 2)[:-2]
            return value
        if kind == b'*':
            return [self._answer() for _ in range(int(rest))]
        return rest

    def get(self, name):
        return self.execute_command('GET', name)

    def register_script(self, script):
        return Script(self, script)


class Script(object):
    def __init__(self, registered_client, script):
        self.registered_client = registered_client
        self.script = script
        self.sha = hashlib.sha1(script.encode()).hexdigest()

    def __call__(self, keys=None, args=None, client=None):
        client = client or self.registered_client
        keys, args = tuple(keys or ()), tuple(args or ())
        try:
            return client.execute_command('EVALSHA', self.sha, len(keys), *keys, *args)
        except NoScriptError:
            client.execute_command('SCRIPT', 'LOAD', self.script)
            return client.execute_command('EVALSHA', self.sha, len(keys), *keys, *args)
