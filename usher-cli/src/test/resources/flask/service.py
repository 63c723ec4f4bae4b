"""
A small Flask service as the specification describes it: its users are rows of SQLAlchemy, and a login puts the profile and the status of its row into Redis. It knows nothing of usher,
and announces no change.
"""
import json
import os

from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from redis import Redis
from werkzeug.serving import make_server

PROFILE_TTL = 30 * 60
STATUS_TTL = 60 * 60

app = Flask(__name__)
app.config['SQLALCHEMY_DATABASE_URI'] = os.environ['DATABASE']
db = SQLAlchemy(app)
store = Redis.from_url(os.environ['REDIS'])


class User(db.Model):
    __tablename__ = 'users'

    id = db.Column(db.BigInteger, primary_key=True)
    mobile = db.Column(db.String)
    name = db.Column(db.String)
    profile_photo = db.Column(db.String)
    is_media = db.Column(db.Boolean)
    introduction = db.Column(db.String)
    certificate = db.Column(db.String)
    status = db.Column(db.SmallInteger)


def key(user_id, facet):
    return 'user:{}:{}'.format(user_id, facet)


def cache_profile(user):
    """Does nothing where a profile is cached already, as the specification has it."""
    if store.get(key(user.id, 'profile')) is None:
        profile = {
            'mobile': user.mobile,
            'name': user.name,
            'photo': user.profile_photo or '',
            'is_media': user.is_media,
            'intro': user.introduction or '',
            'certi': user.certificate or '',
        }
        store.setex(key(user.id, 'profile'), PROFILE_TTL, json.dumps(profile))


@app.post('/login/<int:user_id>')
def login(user_id):
    user = db.get_or_404(User, user_id)
    cache_profile(user)
    store.setex(key(user.id, 'status'), STATUS_TTL, user.status)
    return '', 204


@app.get('/cached/<int:user_id>')
def cached(user_id):
    """What Redis has, whichever service has put it there."""
    profile = store.get(key(user_id, 'profile'))
    status = store.get(key(user_id, 'status'))
    if profile is None or status is None:
        abort(404)
    return jsonify(profile=json.loads(profile), status=int(status))


@app.patch('/users/<int:user_id>')
def change(user_id):
    """A change by the ORM alone."""
    user = db.get_or_404(User, user_id)
    for column, value in request.get_json().items():
        setattr(user, column, value)
    db.session.commit()
    return '', 204


if __name__ == '__main__':
    server = make_server('127.0.0.1', 0, app, threaded=True)
    print('port {}'.format(server.server_port), flush=True)
    server.serve_forever()
