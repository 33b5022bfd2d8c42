"""The fixed shapes of the API: what clients rely on. More members may come, these may not go."""
import re

from lorry import NUMBER, TIME, Id, Maybe

VEHICLES = {'bike', 'car', 'van', 'truck'}
STATES = {'requested', 'offered', 'assigned', 'arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered', 'cancelled',
          'expired', 'failed'}

USER = {'id': Id('usr'), 'email': str, 'name': str, 'phone': Maybe(str), 'version': int, 'created_at': TIME,
        'role': {'customer', 'driver', 'dispatcher', 'admin'}}
TOKENS = {'user': USER, 'access_token': re.compile(r'[\w-]+\.[\w-]+\.[\w-]+'), 'token_type': {'Bearer'}, 'expires_in': int,
          'refresh_token': str}
JWKS = {'keys': [{'kty': str, 'kid': str, 'alg': {'EdDSA', 'ES256'}, 'use': {'sig'}}]}

MONEY_ITEMS = [{'code': str, 'amount': int}]
PLACE = {'index': int, 'kind': {'pickup', 'dropoff'}, 'lat': NUMBER, 'lng': NUMBER, 'address': Maybe(str)}
QUOTES = {'quotes': [{'id': Id('qte'), 'vehicle': VEHICLES, 'distance_m': int, 'duration_s': int, 'currency': re.compile('[A-Z]{3}'),
                      'total': int, 'items': MONEY_ITEMS, 'pickup_eta_s': Maybe(int), 'polyline': str, 'expires_at': TIME,
                      'stops': [PLACE]}]}
STOP = {**PLACE, 'state': {'pending', 'arrived', 'done', 'failed'}, 'eta': Maybe(TIME)}
CONTACT = {'name': Maybe(str), 'phone': Maybe(str)}
BOOKING = {'id': Id('bkg'), 'code': re.compile('[0-9A-Z]{6}'), 'state': STATES, 'customer_id': Id('usr'),
           'vehicle': VEHICLES, 'version': int, 'stops': [{**STOP, 'contact': Maybe(CONTACT)}],
           'price': {'currency': str, 'total': int, 'items': MONEY_ITEMS}, 'payment': str,
           'driver': Maybe({'id': Id('drv'), 'name': str, 'phone': Maybe(str), 'rating': Maybe(NUMBER)}),
           'vehicle_plate': Maybe(str), 'tracking_token': re.compile(r'[\w-]{22,}'), 'created_at': TIME, 'updated_at': TIME}
DRIVEN = {**BOOKING, 'tracking_token': type(None)}  # as its driver reads it: the link is its customer's
TIMELINE = {'items': [{'seq': int, 'at': TIME, 'type': re.compile(r'booking\.\w+'), 'data': dict,
                       'actor': {'kind': {'customer', 'driver', 'dispatcher', 'admin', 'system'}, 'id': Maybe(str)}}]}
TRACK = {'code': str, 'state': STATES, 'stops': [STOP], 'eta': Maybe(TIME),
         'driver': Maybe({'name': str, 'vehicle': VEHICLES, 'plate': str}),
         'position': Maybe({'lat': NUMBER, 'lng': NUMBER, 'bearing_deg': Maybe(NUMBER), 'at': TIME})}

DRIVER = {'id': Id('drv'), 'user_id': Id('usr'), 'name': str, 'status': {'pending', 'approved', 'suspended'},
          'duty': {'off', 'on', 'busy'}, 'vehicle': Maybe({'class': VEHICLES, 'plate': str, 'capacity_kg': int}),
          'rating': {'mean': Maybe(NUMBER), 'count': int},
          'position': Maybe({'lat': NUMBER, 'lng': NUMBER, 'at': TIME}), 'version': int}
OFFER_PLACE = {'lat': NUMBER, 'lng': NUMBER}
OFFER = {'id': Id('ofr'), 'booking_id': Id('bkg'), 'expires_at': TIME, 'pickup': OFFER_PLACE, 'dropoff': OFFER_PLACE,
         'stops': int, 'pickup_distance_m': int, 'pickup_eta_s': int, 'earning': {'currency': str, 'amount': int}}
STORED = {'stored': int, 'duplicates': int, 'rejected': [{'index': int, 'pointer': str, 'detail': str}]}
EARNINGS = {'currency': str, 'total': int, 'bookings': int,
            'days': [{'date': re.compile(r'\d{4}-\d\d-\d\d'), 'total': int, 'bookings': int}]}

NEAR = {'ref': str, 'vehicle': VEHICLES, 'lat': NUMBER, 'lng': NUMBER, 'bearing_deg': Maybe(NUMBER), 'distance_m': int}
FLEET = {'items': [{'driver_id': Id('drv'), 'name': str, 'vehicle': VEHICLES, 'duty': {'on', 'busy'},
                    'booking_id': Maybe(Id('bkg')), 'lat': NUMBER, 'lng': NUMBER, 'bearing_deg': Maybe(NUMBER),
                    'speed_mps': Maybe(NUMBER), 'at': TIME}], 'counts': {'on': int, 'busy': int}}
TRAIL = {'driver_id': Id('drv'), 'next_cursor': Maybe(str),
         'fixes': [{'at': TIME, 'lat': NUMBER, 'lng': NUMBER, 'speed_mps': Maybe(NUMBER), 'bearing_deg': Maybe(NUMBER)}]}
DISPATCH = {'rounds': [{'at': TIME, 'radius_m': Maybe(int),
                        'candidates': [{'driver_id': Id('drv'), 'name': str, 'rank': Maybe(int), 'pickup_eta_s': Maybe(int),
                                        'score': Maybe(NUMBER), 'reason': Maybe(str),
                                        'outcome': {'offered', 'declined', 'timed_out', 'accepted', 'passed_over', 'withdrawn'}}]}]}

EVENT = {'type': {'booking.updated', 'offer.made', 'offer.closed'}, 'seq': int, 'at': TIME, 'data': dict}
POSITION = {'lat': NUMBER, 'lng': NUMBER, 'bearing_deg': Maybe(NUMBER), 'speed_mps': Maybe(NUMBER), 'at': TIME}
