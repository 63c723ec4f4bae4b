-- Their passwords are "anns password", and so on.
INSERT INTO users (id, mobile, password, administrator, name) VALUES
    (1, '13800000001', '{noop}anns password', false, 'Ann'),
    (2, '13800000002', '{noop}bobs password', false, 'Bob'),
    (3, '13800000003', '{noop}roots password', true, 'Root'),
    (4, '13800000004', '{noop}carls password', false, 'Carl');

INSERT INTO badges VALUES (1, 120, 'sage');
