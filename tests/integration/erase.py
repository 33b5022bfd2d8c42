#!/usr/bin/env python3
"""Erasing people, over HTTP and on the disk: a customer and a driver who have done what there is to do are erased, and
afterwards nothing in the whole database says who they were. Then the same with the server killed in between.

Usage: erase.py LORRY [TEST]...
"""
import sqlite3
import tempfile
import time
import unittest
from pathlib import Path

import lorry
from lorry import PASSWORD, Server

STOPS = [{'lat': 57.7089, 'lng': 11.9746, 'address': 'Zebragatan 7'}, {'lat': 57.6969, 'lng': 11.9865, 'address': 'Giraffstigen 9'}]
CUSTOMER = {'name': 'Quirina Xylander', 'phone': '+46705550199', 'email': 'quirina.xylander@example.com'}
DRIVER = {'name': 'Wolfram Yxhammar', 'phone': '+46705550288', 'email': 'wolfram.yxhammar@example.com'}
PLACES = ['Zebragatan', 'Giraffstigen']
WORDS = ['Quirina', 'Xylander', '705550199', 'quirina', 'Wolfram', 'Yxhammar', '705550288', 'wolfram', 'Kontaktperson', 'Mottagarperson', '705550377',
         'Lillstugan', 'Frallbudet', 'ring the red bell', 'the blue gate', 'the green gate', 'the loading ramp', 'a rating comment', 'changed my own mind', 'the tyre is flat', 'XYX987']


def traces(folder):
    """Which of WORDS are anywhere in the database, when what was deleted is out of its file."""
    path = next(Path(folder).glob('*.db'))
    db = sqlite3.connect(path)
    db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    db.execute('VACUUM')
    db.close()
    text = path.read_bytes()
    found = [word for word in WORDS if word.encode() in text and word not in PLACES]
    where = []
    db = sqlite3.connect(path)
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in db.execute(f'SELECT * FROM "{table}"'):
            where += [f'{word} in {table}: {row}'[:600] for word in found if word in str(row)]
            # where a search for a driver began and ended stays for its days (docs/erasure.md); it names nobody
            found += [f'{word} in {table}' for word in PLACES if word in str(row) and table != 'dispatches']
    db.close()
    return found, where


def lives(server, admin):
    """Both of them, who have done what there is to do."""
    customer = server.register('customer', **CUSTOMER)
    driver = server.register('driver', **DRIVER)
    driver.put('/v1/driver', {'vehicle': {'class': 'van', 'plate': 'XYX987', 'capacity_kg': 800}}, expect=200)
    driver_id = driver.get('/v1/driver', expect=200).json['id']
    if driver.get('/v1/driver').json['status'] != 'approved':
        admin.call('PATCH', f'/v1/drivers/{driver_id}', {'status': 'approved'}, expect=200)
    driver.post('/v1/driver/duty', {'duty': 'on'}, expect=200)
    driver.post('/v1/driver/locations', {'fixes': [{'at': lorry.rfc3339(time.time()), 'lat': 57.7089, 'lng': 11.9746}]}, expect=200)

    def book():
        quote = customer.post('/v1/quotes', {'stops': STOPS, 'vehicle': 'van'}, expect=201).json['quotes'][0]
        contact = {'contact': {'name': 'Kontaktperson', 'phone': '+46705550377'}, 'note': 'the blue gate'}
        return customer.post('/v1/bookings', {'quote_id': quote['id'], 'notes': 'ring the red bell',
                                              'stops': [contact, {**contact, 'proof': ['name']}]}, expect=201).json

    first = book()
    customer.put(f'/v1/bookings/{first["id"]}/note', {'stop': 1, 'note': 'the green gate'}, expect=200)
    offer = lorry.until(lambda: driver.get('/v1/driver/offers', expect=200).json['items'], 'an offer')[0]
    driver.post(f'/v1/bookings/{first["id"]}/accept', {'offer_id': offer['id']}, expect=200)
    for who in (customer, driver):
        a = who.call('DELETE', '/v1/me', {'password': PASSWORD}, expect=409)
        assert a.type == 'active-booking' and a.json['booking_ids'] == [first['id']], a
    for status, stop in (('arrived_pickup', 0), ('picked_up', 0), ('arrived_dropoff', 1), ('delivered', 1)):
        if status == 'delivered':
            driver.post(f'/v1/bookings/{first["id"]}/proof', {'stop': 1, 'name': 'Mottagarperson'}, expect=200)
        driver.post(f'/v1/bookings/{first["id"]}/status', {'status': status, 'stop': stop}, expect=200)
    customer.post(f'/v1/bookings/{first["id"]}/rating', {'stars': 4, 'comment': 'a rating comment'}, expect=200)
    customer.post('/v1/me/places', {'label': 'Lillstugan', **STOPS[0], 'contact': {'name': 'Kontaktperson'}}, expect=201)
    customer.post('/v1/recurrences', {'name': 'Frallbudet', 'stops': [STOPS[0] | {'contact': {'name': 'Kontaktperson'}, 'note': 'the loading ramp'},
                                                                        STOPS[1]],
                                      'vehicle': 'van', 'weekdays': ['mon'], 'pickup': {'from': '08:00', 'to': '10:00'},
                                      'starts_on': time.strftime('%Y-%m-%d', time.gmtime(time.time() + 40 * 86400))}, expect=201)
    second = book()
    customer.post(f'/v1/bookings/{second["id"]}/cancel', {'reason': 'changed my own mind'}, expect=200)
    lorry.until(lambda: driver.get('/v1/driver', expect=200).json['duty'] == 'on', 'the driver is free')
    third = book()
    offer = lorry.until(lambda: [o for o in driver.get('/v1/driver/offers', expect=200).json['items'] if o['booking_id'] == third['id']], 'an offer')[0]
    driver.post(f'/v1/bookings/{third["id"]}/accept', {'offer_id': offer['id']}, expect=200)
    driver.post(f'/v1/bookings/{third["id"]}/release', {'reason': 'the tyre is flat'}, expect=200)
    lorry.until(lambda: 'gave it back' in str(admin.get(f'/v1/bookings/{third["id"]}/dispatch', expect=200).json), 'the search knows')
    customer.post(f'/v1/bookings/{third["id"]}/cancel', {}, expect=200)
    lorry.until(lambda: driver.get('/v1/driver', expect=200).json['duty'] == 'on', 'the driver is free')
    driver.post('/v1/driver/duty', {'duty': 'off'}, expect=200)
    return customer, driver, first, second


class Erase(unittest.TestCase):
    def run_with(self, kill):
        with tempfile.TemporaryDirectory() as folder:
            with Server('--driver-approval', 'auto', data=folder) as server:
                self.erase_both(server, folder, kill)

    def erase_both(self, server, folder, kill):
        admin = server.staff('admin')
        customer, driver, first, second = lives(server, admin)
        there = customer.get(f'/v1/bookings/{first["id"]}', expect=200).json['stops']
        self.assertEqual([(s['note'], s['contact']['phone']) for s in there],
                         [('the blue gate', '+46705550377'), ('the green gate', '+46705550377')])
        # what is kept of a booking, and of who drove it, has no numbers and no notes of its people (docs/contacts.md)
        for kept in (customer.get(f'/v1/bookings/{first["id"]}/custody', expect=200), admin.get(f'/v1/bookings/{first["id"]}/custody', expect=200),
                     admin.get(f'/v1/bookings/{first["id"]}/dispatch', expect=200), admin.get('/v1/me/export', expect=200),
                     driver.get('/v1/me/export', expect=200), driver.get('/v1/notifications', expect=200)):
            for word in ('705550377', ' gate', 'ring the red bell'):
                self.assertNotIn(word, str(kept.body), kept.body)
        customer.problem(403, 'not-confirmed', 'DELETE', '/v1/me', {'password': 'not my password'})
        customer.problem(422, 'invalid-request', 'DELETE', '/v1/me', {})
        customer.problem(403, 'forbidden', 'DELETE', f'/v1/users/{driver.user["id"]}')
        admin.problem(409, 'last-admin', 'DELETE', f'/v1/users/{admin.user["id"]}')
        admin.problem(404, 'not-found', 'DELETE', '/v1/users/usr_01M850A1E7QCRB3XG104WRR17N')
        customer.call('DELETE', '/v1/me', {'password': PASSWORD}, expect=204)
        admin.call('DELETE', f'/v1/users/{driver.user["id"]}', expect=204)
        if kill:
            server.kill()
            server.start()
            admin = server.login(admin.user['email'])
        customer.call('GET', '/v1/me', expect=401)
        server.api().problem(401, 'invalid-credentials', 'POST', '/v1/auth/login', {'email': CUSTOMER['email'], 'password': PASSWORD})
        admin.problem(404, 'not-found', 'DELETE', f'/v1/users/{driver.user["id"]}')
        lorry.until(lambda: 'Kontaktperson' not in str(admin.get(f'/v1/bookings/{first["id"]}', expect=200).json), 'the booking forgets')
        lorry.until(lambda: admin.get(f'/v1/bookings/{first["id"]}', expect=200).json['driver']['name'] != DRIVER['name'], 'its driver, too')
        time.sleep(8)  # each service has looked twice
        kept = admin.get(f'/v1/bookings/{first["id"]}', expect=200).json
        self.assertEqual([(s['note'], s['contact']) for s in kept['stops']], [(None, None)] * 2)
        self.assertEqual((kept['price']['total'], kept['state'], kept['customer_id']), (first['price']['total'], 'delivered', customer.user['id']))
        self.assertEqual(sum(line['amount'] for line in admin.get(f'/v1/bookings/{first["id"]}/ledger', expect=200).json['items']), 0)
        self.assertEqual(admin.get(f'/v1/users/{customer.user["id"]}', expect=200).json['name'], 'Erased')
        again = server.register('customer', **CUSTOMER)  # the address is free
        again.call('DELETE', '/v1/me', {'password': PASSWORD}, expect=204)
        time.sleep(8)
        server.stop()
        found, where = traces(folder)
        self.assertEqual(found, [], '\n'.join(where))

    def test_nothing_is_left(self):
        self.run_with(kill=False)

    def test_nothing_is_left_after_a_crash(self):
        self.run_with(kill=True)


if __name__ == '__main__':
    lorry.main()
