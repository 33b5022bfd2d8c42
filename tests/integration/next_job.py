"""What comes next: a driver who is about to finish is asked for it and goes on with it; what the
customer, the dispatcher and the trace say of it meanwhile. The option off: nobody is asked so."""
import unittest

import lorry
from lorry import Server, until

FLAGS = ('--driver-approval', 'auto', '--chain-late-s', 30, *lorry.UNLIMITED)
A, B = (57.7089, 11.9746), (57.6969, 11.9865)
NEAR_B = (57.6975, 11.9865)


class NextJob(unittest.TestCase):
    def nearly_done(self, server, near=NEAR_B):
        """A driver who has the goods of a booking from A to B and is near B; it is known when he will be there."""
        customer, driver = server.register(), server.driver(A)
        first = customer.book(A, B)
        driver.offer(first['id'])
        driver.accept(first['id'])
        driver.status(first['id'], 'arrived_pickup', 'picked_up')

        def known():
            driver.fix(near)
            return 'eta_from' in customer.booking(first['id'])['stops'][1]
        until(known, 'an arrival that is known')
        return customer, driver, first['id']

    def candidate(self, staff, booking_id, driver_id):
        items = staff.get(f'/v1/bookings/{booking_id}/candidates', expect=200).json['items']
        return next(c for c in items if c['driver_id'] == driver_id)

    def rounds(self, staff, booking_id):
        """Of the trace, once there are any: the search hears of a booking a moment later."""
        def look():
            a = staff.get(f'/v1/bookings/{booking_id}/dispatch', expect=(200, 404))
            return a.status == 200 and a.json['rounds']
        return until(look, 'a round')

    def test_goes_on(self):
        with Server(*FLAGS, '--chain-eta-s', 600) as server:
            _, driver, first = self.nearly_done(server)
            me = driver.get('/v1/driver', expect=200).json
            customer, staff = server.register(), server.staff('dispatcher')
            with lorry.WebSocket(server, driver.token) as socket:
                socket.expect('ready')
                second = customer.book(B, A)
                path = f'/v1/bookings/{second["id"]}'
                made = socket.expect('offer.made', lambda m: m['data']['booking_id'] == second['id'])['data']
            offer = driver.offer(second['id'])
            self.assertEqual(offer['free_at'], made['free_at'])
            self.assertIsNone(driver.get('/v1/driver', expect=200).json['next_booking_id'])
            taken = driver.accept(second['id'])
            self.assertEqual(taken['driver']['free_at'], offer['free_at'])

            def both():
                his = driver.get('/v1/driver', expect=200).json
                return (his['booking_id'], his['next_booking_id'], his['duty']) == (first, second['id'], 'busy')
            until(both, 'the one that he carries and the one that comes next')
            self.assertEqual({b['id'] for b in driver.get('/v1/bookings?state=active', expect=200).json['items']},
                             {first, second['id']})
            # Everybody sees that he is not on the way yet, nobody where he is.
            self.assertIn('free_at', customer.booking(second['id'])['driver'])
            link = server.api().get(f'/v1/track/{second["tracking_token"]}', expect=200).json
            self.assertIn('free_at', link['driver'])
            self.assertIsNone(link['position'])
            self.assertIsNotNone(link['eta'])
            problem = driver.problem(409, 'illegal-transition', 'POST', f'{path}/status', {'status': 'arrived_pickup', 'stop': 0})
            self.assertEqual((problem.json['allowed'], problem.json['free_at']), (['cancelled'], offer['free_at']))
            fee = customer.get(f'{path}/cancellation', expect=200).json
            self.assertEqual((fee['allowed'], fee['fee']['amount']), (True, 0))
            # Nobody has two next ones; the trace says why this one was asked.
            third = server.register().book(B, A)
            self.rounds(staff, third['id'])
            self.assertEqual(self.candidate(staff, third['id'], me['id'])['reason_code'], 'busy')
            asked = next(c for r in self.rounds(staff, second['id']) for c in r['candidates'] if c['rank'] == 1)
            self.assertEqual((asked['driver_id'], asked['after_booking_id'], asked['outcome']), (me['id'], first, 'accepted'))
            self.assertTrue(0 < asked['free_in_s'] <= asked['pickup_eta_s'], asked)
            self.assertIn(f'finishes {first} in ', asked['reason'])
            # He finishes, and goes on.
            driver.status(first, 'arrived_dropoff', 'delivered')
            until(lambda: 'free_at' not in customer.booking(second['id'])['driver'], 'he begins')
            kinds = [e['type'] for e in customer.get(f'{path}/timeline', expect=200).json['items']]
            self.assertLess(kinds.index('booking.assigned'), kinds.index('booking.driver_free'))
            driver.deliver(second['id'])
            until(lambda: driver.get('/v1/driver', expect=200).json['next_booking_id'] is None, 'nothing next')

    def test_by_hand(self):
        with Server(*FLAGS, '--chain-eta-s', 600) as server:
            _, driver, first = self.nearly_done(server)
            staff, customer = server.staff('dispatcher'), server.register()
            me = driver.get('/v1/driver', expect=200).json['id']
            second = customer.book(B, A)
            offer = driver.offer(second['id'])
            driver.post(f'/v1/bookings/{second["id"]}/decline', {'offer_id': offer['id']}, expect=204)
            # A dispatcher gives it to him all the same.
            given = staff.post(f'/v1/bookings/{second["id"]}/assign', {'driver_id': me}, expect=200).json
            self.assertIn('free_at', given['driver'])
            self.assertEqual(customer.booking(second['id'])['driver']['id'], me)
            # What he carries is taken from him: he begins the other.
            driver.status(first, 'arrived_dropoff')
            driver.status(first, 'failed', reason='nobody is there')
            until(lambda: 'free_at' not in customer.booking(second['id'])['driver'], 'he begins')
            self.assertEqual(driver.get('/v1/driver', expect=200).json['booking_id'], second['id'])

    def test_off(self):
        with Server(*FLAGS) as server:
            _, driver, first = self.nearly_done(server)
            staff, customer = server.staff('dispatcher'), server.register()
            me = driver.get('/v1/driver', expect=200).json['id']
            second = customer.book(B, A)
            self.rounds(staff, second['id'])
            self.assertEqual(driver.get('/v1/driver/offers', expect=200).json['items'], [])
            busy = self.candidate(staff, second['id'], me)
            self.assertEqual(busy['reason_code'], 'busy')
            self.assertNotIn('after_booking_id', busy)
            staff.problem(409, 'driver-unavailable', 'POST', f'/v1/bookings/{second["id"]}/assign', {'driver_id': me})
            driver.status(first, 'arrived_dropoff', 'delivered')
            driver.offer(second['id'])


if __name__ == '__main__':
    lorry.main()
